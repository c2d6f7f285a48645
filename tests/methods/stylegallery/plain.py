"""StyleGallery's optimisation in the plain order of the authors' code: nothing kept, no batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from methods.stylegallery.energy import without_style
from methods.stylegallery.regions import nearest_labels
from stylekit.diffusion import Recorder, attending


def plain_latents(foundation, layers, course, begin, content, references, wanted, offered):
    """Optimise latents with one pass for each image at each step, and a whole attention for each region."""
    condition = foundation.condition([""])

    def look(latents, step):
        recorder = Recorder()
        with attending(foundation.denoiser, layers, recorder):
            foundation.predict(latents, torch.tensor([step]), condition)
        return recorder.layers

    latents = without_style(begin).detach().requires_grad_(True)
    adam = torch.optim.Adam([latents], lr=course.learning_rate)
    for step in course.steps:
        with torch.no_grad():
            of_content = look(content, step)
            of_references = [look(reference[None], step) for reference in references]
        for _ in range(course.iterations):
            own, energy = look(latents, step), 0.0
            for name, (queries, _, _, seen) in own.items():
                side = round(queries.shape[2] ** 0.5)
                tokens = nearest_labels(wanted[None], (side, side)).flatten()
                energy += course.content_weight * (queries - of_content[name].queries).abs().mean()
                for region in sorted(set(tokens.tolist()) - {0}):
                    energy += course.style_weight * _of_region(
                        region, tokens, offered, side, queries, seen, name, of_references, course
                    )
            (latents.grad,) = torch.autograd.grad(energy, latents)
            adam.step()
    return latents.detach()


def _of_region(region, tokens, offered, side, queries, seen, name, of_references, course):
    (index,) = [number for number, labels in enumerate(offered) if bool((labels == region).any())]
    theirs = (nearest_labels(offered[index, None], (side, side)).flatten() == region)[:, None].float()
    mine = (tokens == region)[:, None].float()
    shown = of_references[index][name]
    if not theirs.any():
        return 0.0
    if course.mask_mode == "zero":
        should = F.scaled_dot_product_attention(
            course.attention_scale * (mine * queries), theirs * shown.keys, theirs * shown.values
        )
    else:
        should = F.scaled_dot_product_attention(
            course.attention_scale * queries, shown.keys, shown.values, attn_mask=theirs.bool().mT
        )
    return (mine * (seen - should.detach())).abs().mean()
