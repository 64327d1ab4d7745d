"""Writes linear maps into the stock autoencoder's convolutions: the whole encoder, and a first guess of the decoder.

Residual branches are zero, so blocks pass their input on through shortcuts. A linear value x crosses the one nonlinearity
on its way, SiLU, as the pair (x, −x), because silu(x) − silu(−x) = x. Group normalisation in front of it divides by the
deviation of the group, which two constants ±PIN in the same group make all but constant: the larger PIN, the more exact.
"""
import math

import torch

ENCODER_PIN = 64.0
DECODER_PIN = 16.0  # the decoder is trained further, and gradients shrink with the pin


def identity(convolution, channels: int):
    """Makes the first output channels copies of the first input channels."""
    middle = convolution.kernel_size[0] // 2
    convolution.weight[:channels] = 0
    convolution.bias[:channels] = 0
    for i in range(channels):
        convolution.weight[i, i, middle, middle] = 1


def pinned_gain(norm, pin: float, energy: float = 0.0) -> float:
    """The scale that undoes `norm` for a group with two constants ±pin and values whose squares sum up to about `energy`."""
    return math.sqrt((energy + 2 * pin**2) / (norm.num_channels // norm.num_groups))


@torch.no_grad()
def write_encoder(vae, whitening: dict, spread: float = 0.03):
    """The encoder becomes cells → latents (see latents.py), with a small constant deviation `spread` of its samples."""
    encoder = vae.encoder
    for parameter in encoder.parameters():
        parameter.zero_()
    for i in range(3):  # channels: red, green, blue and their negatives
        encoder.conv_in.weight[i, i, 1, 1] = 1
        encoder.conv_in.weight[3 + i, i, 1, 1] = -1
    for level, block in enumerate(encoder.down_blocks):
        for resnet in block.resnets:
            if resnet.conv_shortcut is not None:
                identity(resnet.conv_shortcut, 6 if level < 3 else 8)
        if block.downsamplers:
            halve = block.downsamplers[0].conv
            for i in range(6):
                halve.weight[i, i, :2, :2] = 0.25
            if level == 2:  # in the last halving, 6 and 7 become ± the vertical step of luminance
                for i, share in enumerate((0.3, 0.59, 0.11)):
                    for channel, sign in ((6, 1), (7, -1)):
                        halve.weight[channel, i, 0, :2] = sign * 0.5 * share
                        halve.weight[channel, i, 1, :2] = -sign * 0.5 * share
    last, norm = encoder.mid_block.resnets[-1], encoder.conv_norm_out
    last.conv2.bias[8], last.conv2.bias[9] = ENCODER_PIN, -ENCODER_PIN
    norm.weight[:8] = pinned_gain(norm, ENCODER_PIN)
    for i, (plus, minus) in enumerate(((0, 3), (1, 4), (2, 5), (6, 7))):
        encoder.conv_out.weight[i, plus, 1, 1] = 1
        encoder.conv_out.weight[i, minus, 1, 1] = -1
    # diffusers' latents are unscaled: pipelines multiply them by the scaling factor.
    matrix, scaling = whitening["matrix"] / vae.config.scaling_factor, vae.config.scaling_factor
    vae.quant_conv.weight.zero_()
    vae.quant_conv.bias.zero_()
    vae.quant_conv.weight[:4, :4, 0, 0] = matrix
    vae.quant_conv.bias[:4] = -matrix @ whitening["mean"]
    vae.quant_conv.bias[4:] = 2 * math.log(spread / scaling)


@torch.no_grad()
def write_decoder(vae, whitening: dict):
    """The decoder starts as the smooth enlargement of the cells' colours; its residual branches learn the rest."""
    matrix = torch.linalg.inv(whitening["matrix"] / vae.config.scaling_factor)
    vae.post_quant_conv.weight[:, :, 0, 0] = matrix
    vae.post_quant_conv.bias[:] = whitening["mean"]
    decoder = vae.decoder
    identity(decoder.conv_in, 4)
    for resnet in decoder.mid_block.resnets:
        resnet.conv2.weight[:3] = 0
        resnet.conv2.bias[:3] = 0
    attention = decoder.mid_block.attentions[0].to_out[0]
    attention.weight[:3] = 0
    attention.bias[:3] = 0
    smooth = torch.tensor([0.25, 0.5, 0.25])
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            resnet.conv2.weight[:6] = 0
            resnet.conv2.bias[:6] = 0
            if resnet.conv_shortcut is not None:
                identity(resnet.conv_shortcut, 3)
        if block.upsamplers:
            convolution = block.upsamplers[0].conv
            convolution.weight[:3] = 0
            convolution.bias[:3] = 0
            for i in range(3):
                convolution.weight[i, i] = smooth[:, None] * smooth[None]
    # The last block turns colours into the pairs and pins that its group norm and SiLU want.
    resnets = decoder.up_blocks[-1].resnets
    shortcut, norm, out = resnets[0].conv_shortcut, decoder.conv_norm_out, decoder.conv_out
    shortcut.weight[:8] = 0
    shortcut.bias[:8] = 0
    for i in range(3):
        shortcut.weight[2 * i, i, 0, 0] = 1
        shortcut.weight[2 * i + 1, i, 0, 0] = -1
    shortcut.bias[6], shortcut.bias[7] = DECODER_PIN, -DECODER_PIN
    for resnet in resnets:
        resnet.conv2.weight[:8] = 0
        resnet.conv2.bias[:8] = 0
    norm.weight[:6] = pinned_gain(norm, DECODER_PIN, energy=6 * 0.3)
    norm.weight[6:8] = 0
    norm.bias[:8] = 0
    out.weight.mul_(0.03)
    out.weight[:, :8] = 0
    out.bias.zero_()
    for i in range(3):
        out.weight[i, 2 * i, 1, 1] = 1
        out.weight[i, 2 * i + 1, 1, 1] = -1
