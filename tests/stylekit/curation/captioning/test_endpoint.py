from __future__ import annotations

import io
import json
import pickle
import socket
import threading
import time

import pyarrow as pa
import pytest
from PIL import Image

from stylekit.curation.captioning import CaptionImages, ContentInstruction, Query, Subject
from stylekit.curation.captioning.endpoint import Endpoint
from stylekit.curation.failure import Failure
from stylekit.errors import ConfigError, MissingError
from tests.stylekit.curation.captioning import server

(QUESTION,) = ContentInstruction().questions
KEY = "sk-very-secret-0123456789"


def picture(red, green=0):
    packed = io.BytesIO()
    Image.new("RGB", (16, 16), (8 * red + 4, 8 * green + 4, 4)).save(packed, "PNG")
    return packed.getvalue()


def query(red, green=0):
    return Query(Subject(f"{red}-{green}", picture(red, green)), QUESTION)


def endpoint(url, **settings):
    quick = {"first_wait": 0.01, "longest_wait": 0.05, "timeout": 5.0, "attempts": 4}
    return Endpoint(url, "tiny", **{**quick, **settings})


def test_a_request_is_what_openai_expects(monkeypatch):
    monkeypatch.setenv("OUR_KEY", KEY)
    with server.serving(lambda handler, name, times: handler.say("A cat.")) as served:
        captioner = endpoint(
            served.url,
            key_variable="OUR_KEY",
            max_tokens=77,
            extra={"chat_template_kwargs": {"enable_thinking": False}},
        )
        assert captioner.answer([query(3)]) == ["A cat."]
    (request,) = served.requests
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["Authorization"] == f"Bearer {KEY}"
    body = request["body"]
    assert {key: body[key] for key in ("model", "max_tokens", "temperature", "chat_template_kwargs")} == {
        "model": "tiny",
        "max_tokens": 77,
        "temperature": 0.0,
        "chat_template_kwargs": {"enable_thinking": False},
    }
    assert 0 <= body["seed"] < 2**31
    (message,) = body["messages"]
    assert message["role"] == "user"
    image, text = message["content"]
    assert text == {"type": "text", "text": QUESTION.text}
    assert image["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_questions_go_out_together_but_no_more_than_allowed_and_answers_keep_their_order():
    def behave(handler, name, times):
        time.sleep(0.1)
        handler.say(f"It is {name}.")

    with server.serving(behave) as served:
        answers = endpoint(served.url, concurrency=4).answer([query(red) for red in range(12)])
    assert answers == [f"It is {red}-0." for red in range(12)]
    assert 2 <= served.most_at_once <= 4


# How a server fails, and what is said of it when it goes on.
TROUBLES = {
    "busy": (
        lambda handler: handler.reply(429, b"slow down", Retry_After="0.02"),
        Failure("endpoint busy", "HTTP 429: slow down"),
    ),
    "failing": (
        lambda handler: handler.reply(500, b"out of memory"),
        Failure("endpoint failed", "HTTP 500: out of memory"),
    ),
    "cut": (lambda handler: handler.cut(), Failure("endpoint unreachable", "RemoteProtocolError: ")),
    "not json": (
        lambda handler: handler.reply(200, b"<html>hello</html>"),
        Failure("endpoint answered garbage", "<html>hello</html>"),
    ),
    "no choices": (
        lambda handler: handler.reply(200, b'{"choices": []}'),
        Failure("endpoint answered garbage", '{"choices": []}'),
    ),
    "a number": (lambda handler: handler.say(7), Failure("endpoint answered garbage", '{"choices": ')),
    "deep": (
        lambda handler: handler.reply(200, b"[" * 200_000),
        Failure("endpoint answered garbage", "[[["),
    ),
    "nothing": (
        lambda handler: handler.reply(200, b""),
        Failure("endpoint answered garbage", "An empty answer."),
    ),
    "endless": (
        lambda handler: handler.reply(200, b" " * 2**21),
        Failure("endpoint answered garbage", "The answer does not end."),
    ),
    "silent": (lambda handler: time.sleep(1.2), Failure("endpoint too slow", "No answer in 0.8 seconds.")),
    "dripping": (
        lambda handler: handler.drip(2.0),
        Failure("endpoint too slow", "No answer in 0.8 seconds."),
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_passing_trouble_is_passed_over_and_lasting_trouble_costs_the_item_only(trouble):
    misbehave, failure = TROUBLES[trouble]
    timeout = 0.8 if failure.reason == "endpoint too slow" else 5.0

    def behave(handler, name, times):
        if name == "2-0" or (name == "1-0" and times < 3):
            misbehave(handler)
        else:
            handler.say(f"It is {name}.")

    with server.serving(behave) as served:
        good, passing, lasting = endpoint(served.url, timeout=timeout).answer(
            [query(red) for red in range(3)]
        )
    assert (good, passing) == ("It is 0-0.", "It is 1-0.")
    assert served.asked == {"0-0": 1, "1-0": 3, "2-0": 4}
    assert lasting.reason == failure.reason
    assert lasting.detail.startswith(failure.detail)


def test_a_refused_request_is_not_sent_again():
    def behave(handler, name, times):
        if name == "1-0":
            handler.reply(400, b'{"error": {"message": "image too small"}}')
        else:
            handler.say("A cat.")

    with server.serving(behave) as served:
        good, refused = endpoint(served.url).answer([query(0), query(1)])
    assert good == "A cat."
    assert refused == Failure(
        "endpoint refused the request", 'HTTP 400: {"error": {"message": "image too small"}}'
    )
    assert served.asked["1-0"] == 1


@pytest.mark.parametrize("count", [1, 3, 8])
def test_an_endpoint_that_is_not_there_ends_the_run_before_it_costs_items(count):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(MissingError, match=r"has answered nothing .endpoint unreachable: ConnectError"):
        endpoint(f"http://127.0.0.1:{port}/v1").answer([query(red) for red in range(count)])


def test_one_picture_that_is_refused_first_of_all_costs_itself():
    def behave(handler, name, times):
        handler.reply(403, b"moderated") if name == "0-0" else handler.say("A cat.")

    with server.serving(behave) as served:
        answers = endpoint(served.url, concurrency=1).answer([query(red) for red in range(3)])
    assert answers == [Failure("endpoint refused the request", "HTTP 403: moderated"), "A cat.", "A cat."]


@pytest.mark.parametrize(
    "url", ["https://me:word@host/v1", "https://key@host/v1", "https://host/v1?key=word"]
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigError, match=r"captioner\.key_variable") as raised:
        Endpoint(url, "tiny")
    assert "word" not in str(raised.value)


def test_the_endpoint_says_how_long_to_wait():
    at = []

    def behave(handler, name, times):
        at.append(time.monotonic())
        if times == 1:
            handler.reply(429, b"", Retry_After="0.3")
        else:
            handler.say("A cat.")

    with server.serving(behave) as served:
        assert endpoint(served.url, longest_wait=0.35).answer([query(0)]) == ["A cat."]
    assert 0.3 <= at[1] - at[0] < 2.0


def test_an_endpoint_cannot_ask_for_more_than_the_longest_wait():
    def behave(handler, name, times):
        handler.reply(503, b"", Retry_After="3600") if times == 1 else handler.say("A cat.")

    with server.serving(behave) as served:
        began = time.monotonic()
        assert endpoint(served.url, longest_wait=0.05).answer([query(0)]) == ["A cat."]
        assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    ("status", "what"), [(401, "the key"), (403, "access"), (404, "the address or the model")]
)
def test_a_wrong_configuration_ends_the_run_before_it_costs_anything(status, what):
    with server.serving(lambda handler, name, times: handler.reply(status, b"no")) as served:
        with pytest.raises(ConfigError, match=f"does not take {what} .HTTP {status}: no."):
            endpoint(served.url, concurrency=2, attempts=50).answer([query(red) for red in range(20)])
        assert len(served.requests) <= 4  # three pictures, while one more may have begun


def test_a_refusal_after_answers_costs_the_item():
    def behave(handler, name, times):
        handler.say("A cat.") if name == "0-0" else handler.reply(403, b"moderated")

    with server.serving(behave) as served:
        captioner = endpoint(served.url)
        captioner.answer([query(0)])
        assert captioner.answer([query(1)]) == [
            Failure("endpoint refused the request", "HTTP 403: moderated")
        ]


def test_the_key_is_written_nowhere(monkeypatch, capfd, caplog):
    """Not even where the endpoint repeats it."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("OUR_KEY", KEY)
    long = b"x" * 190  # so that the end of what is quoted cuts the key
    with server.serving(lambda handler, name, times: handler.reply(400, long + KEY.encode())) as served:
        captioner = endpoint(served.url, key_variable="OUR_KEY")
        (failure,) = captioner.answer([query(0)])
    with (
        server.serving(lambda handler, name, times: handler.reply(401, f"bad key {KEY}".encode())) as served,
        pytest.raises(ConfigError) as raised,
    ):
        endpoint(served.url, key_variable="OUR_KEY").answer([query(0)])
    captured = capfd.readouterr()
    said = [failure.detail, str(raised.value), repr(vars(captioner)), captured.out, captured.err, caplog.text]
    assert not any("sk-" in text for text in said)
    assert KEY.encode() not in pickle.dumps(captioner)


def test_a_key_that_is_missing_or_none_is_named_by_its_variable(monkeypatch):
    monkeypatch.delenv("OUR_KEY", raising=False)
    captioner = endpoint("http://localhost:1/v1", key_variable="OUR_KEY")
    with pytest.raises(MissingError, match="no key in the environment variable OUR_KEY"):
        captioner.answer([query(0)])
    monkeypatch.setenv("OUR_KEY", "sk-a\nb")
    with pytest.raises(ConfigError, match="OUR_KEY holds is not a key") as raised:
        captioner.answer([query(0)])
    assert "sk-a" not in str(raised.value)


def test_an_address_without_a_scheme_is_refused():
    with pytest.raises(ConfigError, match="must begin with http:// or https://"):
        Endpoint("localhost:8000", "tiny")


def test_waits_stop_when_the_run_stops():
    """Some requests are refused for good while another would wait for minutes."""
    waiting = threading.Event()

    def behave(handler, name, times):
        if name == "0-0":
            handler.reply(503, b"", Retry_After="300")
            waiting.set()
        else:
            waiting.wait(5)
            time.sleep(0.1)
            handler.reply(401, b"no")

    with server.serving(behave) as served:
        began = time.monotonic()
        with pytest.raises(ConfigError):
            endpoint(served.url, longest_wait=300.0).answer([query(red) for red in (1, 2, 3, 0)])
        assert time.monotonic() - began < 10


def test_a_step_goes_on_whatever_the_endpoint_does(monkeypatch):
    """Empty answers and those outside their limits are asked again; a worker's copy does the same."""

    def behave(handler, name, times):
        said = {
            "0-0": ["A cat."],
            "1-0": ["", "A dog."],
            "2-0": ["An abstract cow.", "A cow."],
            "3-0": [""] * 9,
        }
        if name == "4-0":
            handler.reply(500, b"down")
        else:
            handler.say(
                [{"type": "text", "text": said[name][times - 1]}] if name == "1-0" else said[name][times - 1]
            )

    rows = pa.table(
        {"id": [f"row{red}" for red in range(6)], "image": [picture(red) for red in range(5)] + [b"broken"]}
    )
    with server.serving(behave) as served:
        step = pickle.loads(pickle.dumps(CaptionImages(endpoint(served.url), [ContentInstruction()])))
        kept, rejects = step(rows)
    assert kept.to_pylist() == [
        {"id": "row0", "content": "A cat."},
        {"id": "row1", "content": "A dog."},
        {"id": "row2", "content": "A cow."},
    ]
    assert [(row["id"], row["reason"]) for row in rejects.to_pylist()] == [
        ("row3", "answers outside their limits"),
        ("row4", "endpoint failed"),
        ("row5", "broken image"),
    ]
    again = [request["text"] for request in served.requests if request["text"] != QUESTION.text]
    complaint = "Your last answer was: 'An abstract cow.'. The content must not say 'abstract'"
    assert any(complaint in text for text in again)


def test_a_null_answer_is_empty():
    with server.serving(lambda handler, name, times: handler.say(None)) as served:
        assert endpoint(served.url).answer([query(0)]) == [""]


def test_seeds_belong_to_items():
    with server.serving(lambda handler, name, times: handler.say("A cat.")) as served:
        endpoint(served.url, concurrency=1).answer([query(0), query(1), query(0)])
        endpoint(served.url, concurrency=1, seed=1).answer([query(0)])
    first, other, same, reseeded = (request["body"]["seed"] for request in served.requests)
    assert first == same
    assert len({first, other, reseeded}) == 3
    assert json.dumps(first)
