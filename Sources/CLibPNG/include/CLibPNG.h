// The shim's entry points are declared here.
