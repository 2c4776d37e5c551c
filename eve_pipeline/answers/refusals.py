"""Tell a refusal to answer from a reply that is merely malformed."""

import re

_ABLE = (
    r"(?:can ?not|can't|could ?n[o']t|won't|will not|am not able to|'m not able to|am unable to|'m unable to|must decline)(?! help but\b)"
)
_DO = (
    r"(?:help|assist|provide|comply|fulfil|answer|analy[sz]e|identify|describe|determine|view|process|interpret|engage"
    r"|do (?:that|this)"
    # What one does not see or feel may be the answer: only the picture itself, or feelings as such, make a refusal.
    r"|see (?:(?:the|this|that|your|any|an?|actual|attached) )*(?:images?|pictures?|photos?|photographs?)"
    r"|feel (?:(?:any|human|real) )*(?:emotions?|feelings?)|say (?:which|what|how)|(?:see|feel|say)(?=\W*$))"
)
_I = r"i\b\W?(?:\w+ )?"
_SORRY = r"(?:i'm |i am |i )?(?:so |very |deeply )?(?:sorry|apologi[sz]e|apologies|unfortunately)"
_PICTURE = r"(?:image|picture|photo|photograph)"
_REFUSALS = re.compile(
    "|".join(
        (
            rf"\b{_I}{_ABLE}\W+(?:\w+ ){{0,3}}?{_DO}\b",
            rf"^\W*{_SORRY}\b.{{0,40}}\b(?:{_I}|(?:this|that|the (?:image|picture|request)) ){_ABLE}",
            rf"^\W*(?:{_SORRY}\W+)?(?:unable to|not able to|{_ABLE}) {_DO}\b",
            r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|text.(?:based|only))\b",
            r"\bi(?:'m| am) (?:just |only )?an? (?:ai|language model)\b",
            r"\bi (?:do not|don't) (?:have|experience|possess) (?:\w+ )?(?:feelings|emotions)\b",
            rf"\bi (?:do not|don't) have the (?:\w+ )?(?:ability|abilities|capability|capabilities|capacity) to {_DO}\b",
            r"\b(?:my|our|the) (?:\w+ )?(?:guidelines|policy|policies|programming) (?:prevents?|prohibits?|forbids?|do(?:es)? not allow)\b",
            r"\bi (?:must |have to |will )?(?:\w+ly )?(?:decline|refuse)\b|\bi(?:'d| would) (?:rather|prefer) not\b",
            r"\bi(?:'m| am| do not feel| don't feel) (?:not )?comfortable (?:with |\w+ing )",
            rf"\bit(?:'s| is) (?:not possible|impossible) (?:for me )?to {_DO}\b",
            rf"^\W*no {_PICTURE} (?:was|is|has been) |\bthere is no {_PICTURE} (?:to|attached|provided|here)\b",
            rf"\bi (?:do not|don't) see (?:any|an|the) (?:\w+ )?{_PICTURE}s?(?: \w+)?\W*$",
            r"\bviolates? (?:my|the|our|your) (?:\w+ )?(?:guidelines|policy|policies)\b",
            r"^\W*(?:很?抱歉|对不起|我(?:无法|不能)|申し訳(?:ありません|ございません)|죄송합니다)",
            r"^\W*(?:lo siento|desculpe|(?:je suis )?désolée?|es tut mir leid|ich kann (?:\w+ )?nicht (?:helfen|antworten))",
            r"\bagainst (?:my|the|our) (?:\w+ )?(?:guidelines|policy|policies|programming)\b",
        )
    )
)


def is_refusal(text: str) -> bool:
    """Return whether the text says that the model will not or cannot answer."""
    return bool(_REFUSALS.search(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").casefold()))
