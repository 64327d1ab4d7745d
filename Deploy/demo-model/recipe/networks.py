"""The networks of the model, stock classes throughout, and the arithmetic of diffusion that all stages share.

SDXL's layout at a hundredth of its width: two CLIP text encoders whose penultimate states stand side by side, the second
one's projected summary and six sizes as further conditioning, a UNet without attention at its highest resolution, a VAE
of factor 8. Latents are 4×16×16 for 128×128 pictures.
"""
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

SIZE, LATENT = 128, 16
WIDTH_1, WIDTH_2 = 64, 96  # of the text encoders
UNET_CHANNELS = (64, 128, 192)
SCALING = 0.13025
# The published scheduler of SDXL-Turbo but for what the network predicts: see README.md, "Velocity, not noise".
SCHEDULER = dict(
    num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
    prediction_type="v_prediction", timestep_spacing="trailing", steps_offset=1)
STUDENT_TIMESTEPS = (249, 499, 749, 999)

_betas = torch.linspace(SCHEDULER["beta_start"] ** 0.5, SCHEDULER["beta_end"] ** 0.5, 1000, dtype=torch.float64) ** 2
_signal = torch.cumprod(1 - _betas, 0)
ALPHA, SIGMA = _signal.sqrt().float(), (1 - _signal).sqrt().float()  # of each timestep: x_t = ALPHA x_0 + SIGMA noise


def text_encoders(vocabulary: int):
    # The ids of special tokens are those of SDXL's own files, which name none of its tokens either: 2 stands for "the end is
    # the highest id of the prompt".
    shared = dict(
        vocab_size=vocabulary, max_position_embeddings=77, num_hidden_layers=3, bos_token_id=0, eos_token_id=2, pad_token_id=1)
    first = CLIPTextModel(CLIPTextConfig(
        hidden_size=WIDTH_1, intermediate_size=4 * WIDTH_1, num_attention_heads=4, hidden_act="quick_gelu",
        projection_dim=WIDTH_1, **shared))
    second = CLIPTextModelWithProjection(CLIPTextConfig(
        hidden_size=WIDTH_2, intermediate_size=4 * WIDTH_2, num_attention_heads=6, hidden_act="gelu",
        projection_dim=WIDTH_2, **shared))
    # Embeddings as large as what the layers add to them: from 0.02 the meaning of words takes long to emerge.
    with torch.no_grad():
        for encoder in (first, second):
            for name, weight in encoder.named_parameters():
                if "token_embedding" in name:
                    weight.normal_(0, 0.5)
                if "position_embedding" in name:
                    weight.normal_(0, 0.1)
    return first, second


class FullPrecisionAttention:
    """Attention that computes in fp32 under autocast too: on CPUs the backward pass in bf16 takes eight times as long."""

    def __call__(self, attention, states, encoder_hidden_states=None, attention_mask=None, **_):
        source = states if encoder_hidden_states is None else encoder_hidden_states

        def heads(values):
            return values.float().unflatten(-1, (attention.heads, -1)).transpose(1, 2)

        q, k, v = heads(attention.to_q(states)), heads(attention.to_k(source)), heads(attention.to_v(source))
        with torch.autocast("cpu", enabled=False):
            mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return attention.to_out[0](mixed.transpose(1, 2).flatten(2))


def unet():
    network = UNet2DConditionModel(
        sample_size=LATENT, in_channels=4, out_channels=4, block_out_channels=UNET_CHANNELS, layers_per_block=1,
        norm_num_groups=8, act_fn="silu", down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=1,
        attention_head_dim=[channels // 32 for channels in UNET_CHANNELS], cross_attention_dim=WIDTH_1 + WIDTH_2,
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=6 * 32 + WIDTH_2)
    network.set_attn_processor(FullPrecisionAttention())
    return network.to(memory_format=torch.channels_last)


@torch.no_grad()
def averaged(state: dict):
    """The UNet of a checkpoint with its averaged weights, frozen."""
    network = unet()
    for weight, mean in zip(network.parameters(), state["means"]):
        weight.copy_(mean)
    return network.requires_grad_(False).eval()


def vae():
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(16, 32, 48, 96), layers_per_block=1,
        norm_num_groups=2, act_fn="silu", sample_size=SIZE, down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4, scaling_factor=SCALING, force_upcast=True)


def tokenizers(work):
    return [CLIPTokenizer.from_pretrained(work.path(name)) for name in ("tokenizer", "tokenizer_2")]


def tokenize(tokenizer, captions: list[str]) -> torch.Tensor:
    ids = tokenizer(captions, padding="max_length", max_length=77, truncation=True).input_ids
    return torch.tensor(ids, dtype=torch.int16)


def encode(first, second, ids_1, ids_2):
    """What SDXL's pipeline hands to the UNet: both encoders' states before their last layer, and the second's summary."""
    states = first(ids_1, output_hidden_states=True).hidden_states[-2]
    outputs = second(ids_2, output_hidden_states=True)
    return torch.cat([states, outputs.hidden_states[-2]], -1), outputs.text_embeds


def sizes(count: int, random_sizes: bool = False) -> torch.Tensor:
    """SDXL's six sizes: original, crop, target. Training varies them so that the model minds none."""
    ids = torch.tensor([[SIZE, SIZE, 0, 0, SIZE, SIZE]], dtype=torch.float32).repeat(count, 1)
    if random_sizes:
        other = torch.rand(count) < 0.3
        ids[other, 0:2] = 2.0 ** torch.randint(6, 11, (int(other.sum()), 2))
        ids[other, 4:6] = 2.0 ** torch.randint(6, 11, (int(other.sum()), 2))
    return ids


def velocity(network, x, t, text, random_sizes: bool = False):
    """The network's prediction for x at timesteps t; `text` is what `encode` returns."""
    conditions = dict(text_embeds=text[1], time_ids=sizes(len(x), random_sizes))
    return network(x, t, text[0], added_cond_kwargs=conditions, return_dict=False)[0]


def add_noise(clean, noise, t):
    return ALPHA[t].view(-1, 1, 1, 1) * clean + SIGMA[t].view(-1, 1, 1, 1) * noise


def clean_of(x, v, t):
    """The clean picture that velocity v at x means."""
    return ALPHA[t].view(-1, 1, 1, 1) * x - SIGMA[t].view(-1, 1, 1, 1) * v


def noise_of(x, v, t):
    return SIGMA[t].view(-1, 1, 1, 1) * x + ALPHA[t].view(-1, 1, 1, 1) * v


class Average:
    """Weights averaged over the last eighth of the steps so far, whatever their number will be: no horizon to choose."""

    def __init__(self, modules, share: float = 1 / 8):
        self.weights = [p for module in modules for p in module.parameters()]
        self.means = [p.detach().clone() for p in self.weights]
        self.share = share

    @torch.no_grad()
    def update(self, step: int):
        torch._foreach_lerp_(self.means, [p.detach() for p in self.weights], min(1.0, 1 / (self.share * (step + 1) + 1)))

    @torch.no_grad()
    def swap(self):
        """Puts the averages in place of the weights, and back again when called again."""
        for weight, mean in zip(self.weights, self.means):
            kept = weight.detach().clone()
            weight.copy_(mean)
            mean.copy_(kept)
