"""Three hundred texts that try to be more than text on the page that shows them."""

from __future__ import annotations

from itertools import product

_ALERT = "alert(1)"

_CORES = (
    f"<script>{_ALERT}</script>",
    f"<ScRiPt>{_ALERT}</sCrIpT>",
    f"<script src=data:,{_ALERT}></script>",
    f"<img src=x onerror={_ALERT}>",
    f"<img/src=x/onerror={_ALERT}>",
    f"<svg onload={_ALERT}>",
    f"<svg><script>{_ALERT}</script></svg>",
    f"<body onload={_ALERT}>",
    f"<iframe src=javascript:{_ALERT}>",
    f"<iframe srcdoc='<script>{_ALERT}</script>'>",
    f"<details open ontoggle={_ALERT}>",
    f"<input autofocus onfocus={_ALERT}>",
    f"<video><source onerror={_ALERT}>",
    f"<math><a xlink:href=javascript:{_ALERT}>x</a></math>",
    f"<a href=javascript:{_ALERT}>x</a>",
    f"<form action=javascript:{_ALERT}><button>x</button></form>",
    f"<object data=javascript:{_ALERT}>",
    f"<embed src=javascript:{_ALERT}>",
    f"<meta http-equiv=refresh content=0;url=javascript:{_ALERT}>",
    "<base href=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x>",
    "<style>*{display:none}</style>",
    f"<template><script>{_ALERT}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={_ALERT}>'>",
    f"<dialog open onclose={_ALERT}>x</dialog>",
    "<tr data-row=1><td>x</td></tr>",
    f"javascript:{_ALERT}",
    f"' onmouseover='{_ALERT}",
    "{{7*7}}${7*7}#{7*7}<%=7*7%>",
    "&lt;b&gt;&amp;amp;&#60;i&#62;",
)
_WRAPS = (
    ("", ""),
    ('"', '"'),
    ("'>", ""),
    ('">', "<!--"),
    ("</td></tr></table>", ""),
    ("</script>", ""),
    ("</title></head>", ""),
    ("\u202e", "\u202c"),
    ("\u200b\ufeff", "\u2066"),
    ("é中😀", "%3Cscript%3E"),
)

HOSTILE = tuple(f"{before}{core}{after}" for core, (before, after) in product(_CORES, _WRAPS))


def cleaned(text: str) -> str:
    """As the traffic log keeps it: what cannot be seen is replaced."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
