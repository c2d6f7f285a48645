"""The cache of encodings: named by all that decides them, whole or made again."""

import logging
import multiprocessing
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from torch import nn

from stylekit.encoding_cache import EncodingKey, encode_prompts, encoder_identity, open_encodings
from stylekit.errors import DataError

KEY = EncodingKey("images", "whole, 64 px", "encoder", "float16")


def values(count=10):
    return torch.randn(count, 2, 3, 3, generator=torch.Generator().manual_seed(0))


def opened(folder, count=10, made=None, key=KEY, scale=1.0):
    def batches():
        for start in range(0, count, 4):
            if made is not None:
                made.append(start)
            yield {"latents": values(count)[start : start + 4] * scale}

    return open_encodings(folder, key, count, batches(), "Encoding")["latents"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_rows_come_back_as_they_were_stored(tmp_path, dtype):
    stored = opened(tmp_path, key=replace(KEY, dtype=dtype))
    expected = values().to(getattr(torch, dtype)).float()
    assert len(stored) == 10
    assert torch.equal(stored[[7, 0, 7]], expected[[7, 0, 7]])
    assert stored[np.array([3])].dtype == torch.float32


def test_encodings_are_made_once(tmp_path):
    made = []
    opened(tmp_path, made=made)
    opened(tmp_path, made=made)
    assert made == [0, 4, 8]


@pytest.mark.parametrize(
    ("part", "other"),
    [("content", "x"), ("transform", "x"), ("encoder", "x"), ("dtype", "float32")],
)
def test_key_changes_with_each_part(tmp_path, part, other):
    changed = replace(KEY, **{part: other})
    assert changed.name != KEY.name
    opened(tmp_path)
    made = []
    opened(tmp_path, key=changed, made=made)
    assert made == [0, 4, 8]


@pytest.mark.parametrize("file", ["latents.npy", "notes.json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "header", "content"])
def test_broken_entry_is_made_again_with_a_warning(tmp_path, caplog, file, damage):
    opened(tmp_path)
    path = tmp_path / "encodings" / KEY.name / file
    whole = path.read_bytes()
    at = {"header": 20, "content": -20}.get(damage)
    if damage == "gone":
        path.unlink()
    elif at is not None:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at:][1:])
    else:
        path.write_bytes(whole[: 0 if damage == "empty" else -3])
    made = []
    with caplog.at_level(logging.WARNING):
        stored = opened(tmp_path, made=made)
    assert torch.equal(stored[range(10)], values().half().float())
    assert made == [0, 4, 8]
    assert "made again" in caplog.text


def test_entry_of_another_number_of_rows_is_not_used(tmp_path, caplog):
    opened(tmp_path, 6)
    assert len(opened(tmp_path, 10)) == 10
    assert "wrong size" in caplog.text


def test_too_few_rows_leave_nothing_behind(tmp_path):
    with pytest.raises(DataError, match="4 rows were encoded, but 5"):
        open_encodings(tmp_path, KEY, 5, iter([{"latents": torch.zeros(4, 1)}]), "Encoding")
    assert [path.suffix for path in (tmp_path / "encodings").iterdir()] == [".lock"]


def test_what_float16_cannot_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match="bfloat16 or float32"):
        opened(tmp_path, scale=1e6)
    wide = opened(tmp_path, scale=1e6, key=replace(KEY, dtype="bfloat16"))
    assert torch.equal(wide[[2]], (values() * 1e6)[[2]].bfloat16().float())


def test_pickled_encodings_hold_no_arrays(tmp_path):
    stored = opened(tmp_path)
    stored[[0]]
    pickled = pickle.dumps(stored)
    assert len(pickled) < 1000
    assert torch.equal(pickle.loads(pickled)[[4]], stored[[4]])


SLOW = """
import sys, time
from pathlib import Path
import torch
from stylekit.encoding_cache import EncodingKey, open_encodings

def batches():
    whole = torch.randn(10, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    for start in range(0, 10, 4):
        yield {"latents": whole[start : start + 4]}
        print("batch", flush=True)
        time.sleep(60)

key = EncodingKey("images", "whole, 64 px", "encoder", "float16")
open_encodings(Path(sys.argv[1]), key, 10, batches(), "Encoding")
"""


def test_killed_in_the_middle_is_whole_after_the_next_start(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"batch\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "encodings" / KEY.name).exists()
    assert (tmp_path / "encodings" / f"{KEY.name}.tmp").exists()
    assert torch.equal(opened(tmp_path)[range(10)], values().half().float())
    assert not list((tmp_path / "encodings").glob("*.tmp"))


def _make(folder, queue):
    def batches():
        time.sleep(0.2)
        for start in range(0, 10, 4):
            made.append(start)
            yield {"latents": values()[start : start + 4]}

    made = []
    stored = open_encodings(folder, KEY, 10, batches(), "Encoding")["latents"]
    queue.put((len(made), float(stored[[9]].sum())))


def test_processes_at_the_same_time_make_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    processes = [context.Process(target=_make, args=(tmp_path, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = [queue.get() for _ in processes]
    assert sorted(made for made, _ in found) == [0, 0, 3]
    assert len({total for _, total in found}) == 1


class Letters:
    """Encodes a prompt to the codes of its first letters, and to its length."""

    def __init__(self):
        self.seen = []

    def __call__(self, prompts):
        self.seen += prompts
        codes = [[float(ord(letter)) for letter in prompt.ljust(4)[:4]] for prompt in prompts]
        return {
            "sequence": torch.tensor(codes)[:, :, None],
            "pooled": torch.tensor([[float(len(prompt))] for prompt in prompts]),
        }


def test_every_distinct_prompt_is_encoded_once(tmp_path):
    encode = Letters()
    prompts = ["a cat", "dog", "a cat", "é"]
    encoded = encode_prompts(tmp_path, prompts, encode, "letters", "4 letters")
    found = encoded[["dog", "a cat", "dog"]]
    assert sorted(encode.seen) == ["a cat", "dog", "é"]
    assert found["pooled"].tolist() == [[3.0], [5.0], [3.0]]
    assert found["sequence"][0, :, 0].tolist() == [ord(letter) for letter in "dog "]
    # in another order and number, they are the same prompts
    again = encode_prompts(tmp_path, ["é", *prompts], encode, "letters", "4 letters")
    assert len(encode.seen) == 3
    assert torch.equal(again[["é"]]["sequence"], encoded[["é"]]["sequence"])
    encode_prompts(tmp_path, prompts, encode, "letters", "8 letters")
    assert len(encode.seen) == 6
    with pytest.raises(DataError, match="'cow'"):
        encoded[["cow"]]


def test_rows_of_varying_length_are_refused(tmp_path):
    lengths = iter([3, 4])

    def encode(prompts):
        return {"sequence": torch.zeros(len(prompts), next(lengths), 2)}

    with pytest.raises(DataError, match="fixed length"):
        encode_prompts(tmp_path, [str(number) for number in range(100)], encode, "x")


class Wrapped(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        torch.manual_seed(0)
        self.vae = AutoencoderKL(
            block_out_channels=(8,), norm_num_groups=4, latent_channels=2, sample_size=8, **settings
        )


class Other(Wrapped):
    pass


def test_identity_changes_with_weights_settings_and_class():
    base = encoder_identity(Wrapped())
    assert encoder_identity(Wrapped()) == base
    changed = Wrapped()
    with torch.no_grad():
        changed.vae.decoder.conv_out.bias[0] += 1e-3
    assert encoder_identity(changed) != base
    assert encoder_identity(Wrapped(scaling_factor=0.5)) != base
    assert encoder_identity(Other()) != base
