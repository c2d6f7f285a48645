"""A real OpenAI-compatible server: `transformers serve` over a tiny LLaVA of random weights."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from stylekit.curation.captioning import ContentInstruction, Query, Subject
from stylekit.curation.captioning.endpoint import Endpoint
from stylekit.curation.captioning.vision_language import VisionLanguage


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", "--host", "127.0.0.1"]
    log = (tmp_path_factory.mktemp("serve") / "log").open("w+")
    process = subprocess.Popen(
        [*command, "--port", str(port), "--device", "cpu", "--dtype", "float32"],
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    try:
        for _ in range(600):
            assert process.poll() is None, log.seek(0) or log.read()
            try:
                if httpx2.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                    break
            except httpx2.TransportError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)
        log.close()


@pytest.mark.slow
def test_a_real_server_answers_as_the_model_does(tiny_llava, served):
    queries = []
    for colour in ("red", "blue", "green"):
        packed = io.BytesIO()
        Image.new("RGB", (64, 64), colour).save(packed, "PNG")
        queries.append(Query(Subject(colour, packed.getvalue()), *ContentInstruction().questions))
    answers = Endpoint(served, str(tiny_llava), max_tokens=12, timeout=60.0).answer(queries)
    assert answers == VisionLanguage(str(tiny_llava), dtype="float32", max_tokens=12).answer(queries)
    assert len(set(answers)) == 3
