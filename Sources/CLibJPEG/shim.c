#include "CLibJPEG.h"
