"""The first lines of a program, to copy. Each reads the key from the environment, never from its own text.

They use the published clients as these really are: the Node client 1.0.0 has nothing but order calls, and AmiBroker
reads the environment through the Windows script host. They are tested against a living bridge where they can be.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """``id`` is the element of the page; ``note`` is what to know before it runs."""

    id: str
    title: str
    note: str
    text: str


ENVIRONMENT = (
    Snippet(
        id="env-setx",
        title="Windows, Command Prompt",
        note="Then open a new window: only programs started afterwards see it.",
        text='setx OPENALGO_API_KEY "paste the key here"',
    ),
    Snippet(
        id="env-powershell",
        title="Windows, PowerShell",
        note="It asks for the key, so that the key is not in the history. Then open a new window.",
        text='[Environment]::SetEnvironmentVariable("OPENALGO_API_KEY", (Read-Host "API key"), "User")',
    ),
    Snippet(
        id="env-linux",
        title="Linux",
        note="It asks for the key. It counts for this terminal and the programs started in it.",
        text="read -rsp 'API key: ' OPENALGO_API_KEY && export OPENALGO_API_KEY",
    ),
)

_CURL = """\
curl -s -d '{}' -H "X-API-KEY: $OPENALGO_API_KEY" @URL@/api/v1/funds"""

_CURL_WINDOWS = """\
curl -s -d "{}" -H "X-API-KEY: %OPENALGO_API_KEY%" @URL@/api/v1/funds"""

_PYTHON = """\
import os
from openalgo import api

client = api(api_key=os.environ["OPENALGO_API_KEY"],
             host="@URL@")
print(client.placeorder(
    strategy="first", symbol="RELIANCE", exchange="NSE",
    action="BUY", price_type="MARKET", product="MIS", quantity=1))"""

_NODE = """\
const OpenAlgo = require("openalgo");

const key = process.env.OPENALGO_API_KEY;
const client = new OpenAlgo(key, "@URL@");
const order = { strategy: "first", symbol: "RELIANCE", exchange: "NSE",
  action: "BUY", priceType: "MARKET", product: "MIS", quantity: 1 };
client.placeOrder(order).then(console.log)
  .catch((error) => console.error(error.response?.data ?? error.message));"""

_AFL = r"""// A button in the Parameters window. It calls once, and never a second time by itself.
Version( 6.40 );
EnableScript( "vbscript" );
<%
Function BridgeKey()
    BridgeKey = CreateObject( "WScript.Shell" ).ExpandEnvironmentStrings( "%OPENALGO_API_KEY%" )
End Function
%>
script = GetScriptObject();
if( ParamTrigger( "@PARAMETER@", "@BUTTON@" ) )
{
    InternetSetHeaders( "Content-Type: application/json\r\nX-API-KEY: " + script.BridgeKey() + "\r\n" );
    answer = @CALL@;
    text = "No answer: " + GetLastOSError();
    if( answer )
    {
        text = "";
        while( ( line = InternetReadString( answer ) ) != "" ) text += line;
        InternetClose( answer );
    }
    _TRACE( text );
}"""

_AFL_ORDER = r"""InternetPostRequest( "@URL@/api/v1/placeorder",
        "{\"strategy\":\"first\",\"symbol\":\"RELIANCE\",\"exchange\":\"NSE\",\"action\":\"BUY\"," +
        "\"pricetype\":\"MARKET\",\"product\":\"MIS\",\"quantity\":\"1\"}" )"""


def checks(url: str) -> tuple[Snippet, ...]:
    """What tells that the key works and changes nothing. ``url`` is the bridge's own."""
    return (
        _snippet("check-linux", "curl on Linux", "Shows the funds of the account.", _CURL, url),
        _snippet("check-windows", "curl in the Windows Command Prompt", "The same.", _CURL_WINDOWS, url),
    )


def programs(url: str) -> tuple[Snippet, ...]:
    """A first order in each language. ``url`` is the bridge's own."""
    return (
        _snippet("use-python", "Python", "First: pip install openalgo", _PYTHON, url),
        _snippet("use-node", "Node", "First: npm install openalgo", _NODE, url),
        _snippet(
            "use-amibroker",
            "AmiBroker",
            "Version 6.40 or newer. The answer appears in the Log window. "
            "The OpenAlgo data plug-in takes the key in its own Configure dialog.",
            afl("Order to the bridge", "Buy 1 RELIANCE", _AFL_ORDER),
            url,
        ),
    )


def python(url: str) -> str:
    """The Python program alone, for the first steps."""
    return _PYTHON.replace("@URL@", url)


def afl(parameter: str, button: str, call: str) -> str:
    """A program for AmiBroker with a button of its Parameters window, which makes a call and shows the answer."""
    return _AFL.replace("@PARAMETER@", parameter).replace("@BUTTON@", button).replace("@CALL@", call)


def _snippet(name: str, title: str, note: str, text: str, url: str) -> Snippet:
    return Snippet(id=name, title=title, note=note, text=text.replace("@URL@", url))
