"""Ask any OpenAI-compatible endpoint (vLLM's server, a hosted service) over HTTP, with bounded retries.

Sends POST BASE_URL/chat/completions with one user message at temperature 0. Nothing is read or written.

    with open_client({"base_url": "http://localhost:8000/v1", "key_env": None, "timeout": 60.0}) as client:
        reply = complete(client, {"model": "judge", "max_tokens": 16, "retries": 4}, "Is 2 even?", "row p1#0")
"""

import json
import os
import time

import httpx

from coldstart.errors import UserError

AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}  # worth another try
LONGEST_WAIT = 60.0  # seconds


def open_client(settings: dict) -> httpx.Client:
    """A client for ``base_url``; the key comes from the environment variable that ``key_env`` names."""
    headers = {}
    if settings["key_env"]:
        key = os.environ.get(settings["key_env"])
        if not key:
            raise UserError(f"judge.key_env: the environment variable {settings['key_env']} is not set")
        if not (key.isascii() and key.isprintable()):
            raise UserError(f"judge.key_env: {settings['key_env']} holds a line break or a character no key can have")
        headers["Authorization"] = f"Bearer {key}"
    return httpx.Client(base_url=settings["base_url"], headers=headers, timeout=settings["timeout"])


def complete(client: httpx.Client, settings: dict, prompt: str, where: str) -> str:
    """The reply's text; the body as it came if it is no chat completion. Raises UserError after the last try."""
    message = {"role": "user", "content": prompt}
    asked = {"model": settings["model"], "messages": [message], "temperature": 0, "max_tokens": settings["max_tokens"]}
    problem, wait = "", 0.0
    for attempt in range(settings["retries"] + 1):
        time.sleep(wait)
        wait = min(LONGEST_WAIT, 0.5 * 2**attempt)
        try:
            response = client.post("chat/completions", json=asked)
        except httpx.TransportError as error:  # timeouts, refused and broken connections
            problem = f"{type(error).__name__}: {error}"
            continue
        if response.status_code == 200:
            return _content(response.text)
        problem = f"HTTP {response.status_code}: {response.text[:200]}"
        if response.status_code not in AGAIN:
            break
        wait = _asked_wait(response, wait)
    raise UserError(
        f"{where}: the judge at {client.base_url} gave no reply ({problem}). What was judged is kept: run it again, or "
        "change judge.base_url, judge.model, judge.timeout or judge.retries"
    )


def _content(body: str) -> str:
    """The message's text of a chat completion."""
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return body
    return text if isinstance(text, str) else body


def _asked_wait(response: httpx.Response, usual: float) -> float:
    """Seconds that the server asks to wait (Retry-After), within the longest wait."""
    asked = response.headers.get("retry-after", "")
    return min(LONGEST_WAIT, float(asked)) if asked.replace(".", "", 1).isdigit() else usual
