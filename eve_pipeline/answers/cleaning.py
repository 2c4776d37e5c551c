"""Strip from a raw reply what is not the reply: thoughts, turns, special tokens, invisible characters."""

import re

_OPEN = r"<\|channel\|>(?:analysis|commentary)\b[^<]*(?:<\|message\|>)?"
_CLOSE = r"<\|end\|>"
_THINK = r"(?:seed:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad)"
_THOUGHT_TAG = re.compile(
    rf"(?P<open>{_OPEN}|<{_THINK}>|\[{_THINK}\]|◁{_THINK}▷)|(?P<close>{_CLOSE}|</{_THINK}>|\[/{_THINK}\]|◁/{_THINK}▷)", re.IGNORECASE
)
_PROMPT_TURN = re.compile(r"^.*(?:\bASSISTANT:|\[/INST\]|<\|im_start\|>assistant\b|<start_of_turn>model\b)(?=\s*[^\s<])", re.DOTALL)
_SPECIAL_TOKEN = re.compile(
    r"(?:<\|(?:channel|start)\|>\w*|<\|[^|<>]{1,40}\|>|<\uff5c[^\uff5c<>]{1,40}\uff5c>|</?s>|\[/?INST\]|\bASSISTANT:\s*$"
    r"|<(?:bos|eos|pad|unk|image|start_of_turn|end_of_turn|end_of_utterance|start_of_image)>)"
)
_INVISIBLE = re.compile("[\ufeff\u200b-\u200f\u202a-\u202e\u2060-\u2064\u00ad\x00-\x08\x0b\x0c\x0e-\x1f]")


def clean(text: str) -> str:
    """Return what the model says to its user; quotes, fences, markup and damage stay."""
    said = _without_thoughts(_INVISIBLE.sub("", text))
    return _SPECIAL_TOKEN.sub("\n", _PROMPT_TURN.sub("", said)).strip()


def _without_thoughts(text: str) -> str:
    """Return the text outside of thinking tags: tags nest, may stay open, or may have been opened by the prompt."""
    kept, depth, at = [], 0, 0
    for tag in _THOUGHT_TAG.finditer(text):
        if depth == 0:
            kept.append(text[at : tag.start()])
        if tag["open"]:
            depth += 1
        elif depth:
            depth -= 1
        elif not tag["close"].startswith("<|"):  # what closes without having been opened was opened by the prompt
            kept.clear()
        at = tag.end()
    return "".join(kept) + ("" if depth else text[at:])
