// How the reference looks: light and dark, wide and narrow, on screen and on paper.

/** The page's only style sheet. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b646e; --line: #dfe3e8; --paper: #fff; --tint: #f5f7f9;
  --link: #0b5cad; --get: #0b6b3a; --post: #0b5cad; --put: #8a5a00; --delete: #a8202c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa4ae; --line: #31383f; --paper: #14181c;
  --tint: #1d2329; --link: #7cb8f5; --get: #62c48d; --post: #7cb8f5; --put: #e0b25c; --delete: #f08a92; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; display: grid; grid-template-columns: 19rem minmax(0, 1fr); background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
code, pre, .method { font: 0.86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1rem; border-right: 1px solid var(--line);
  background: var(--tint); font-size: 0.9rem; }
nav ul { list-style: none; margin: 0 0 0.5rem; padding: 0; }
nav li a { display: block; padding: 0.1rem 0; overflow-wrap: anywhere; color: inherit; padding-left: 3.7rem; text-indent: -3.7rem; }
nav li .method { display: inline-block; width: 3.4rem; text-indent: 0; }
nav summary { padding: 0.2rem 0; font-weight: 600; cursor: pointer; }
nav .home { margin: 0 0 0.6rem; font-size: 1.15rem; font-weight: 700; }
nav .home a { color: inherit; }
input { width: 100%; padding: 0.45rem 0.6rem; margin-bottom: 0.7rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--paper); color: inherit; font: inherit; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 1px; }
main { max-width: 60rem; padding: 1.2rem clamp(1rem, 3vw, 2.5rem) 4rem; }
h1 { margin: 0.4rem 0; font-size: 1.9rem; }
h1 small, nav small { color: var(--soft); font-weight: 400; }
h2 { margin: 3rem 0 0.5rem; padding-bottom: 0.3rem; border-bottom: 2px solid var(--line); }
h3 { margin: 0; font-size: 1.05rem; overflow-wrap: anywhere; }
h3 a { color: inherit; font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
h4 { margin: 1.1rem 0 0.3rem; color: var(--soft); font-size: 0.85rem; }
article { padding: 1.6rem 0; border-bottom: 1px solid var(--line); }
article:target { box-shadow: -0.8rem 0 0 -0.55rem var(--link); }
p { margin: 0.4rem 0; }
.summary { font-weight: 600; }
.method { font-weight: 700; color: var(--post); }
.get { color: var(--get); } .put, .patch, .any { color: var(--put); } .delete { color: var(--delete); }
pre { margin: 0.7rem 0; padding: 0.7rem 0.9rem; overflow-x: auto; border: 1px solid var(--line); border-radius: 6px;
  background: var(--tint); }
.fields, .answers { margin: 0.3rem 0; padding: 0; list-style: none; }
.fields li, .answers li { padding: 0.3rem 0; overflow-wrap: anywhere; }
.fields .fields { margin-left: 0.2rem; padding-left: 0.9rem; border-left: 2px solid var(--line); }
.fields i, .shape i, small, .shape, .same { color: var(--soft); font-style: normal; font-size: 0.88rem; }
.fields b { color: var(--delete); font-size: 0.8rem; font-weight: 600; }
.words { display: block; }
.media { margin-top: 0.6rem; }
.good { color: var(--get); } .bad { color: var(--delete); }
.refusals { font-size: 0.92rem; } .refusals span { display: inline-block; margin-right: 0.8rem; }
.refusals code { white-space: nowrap; }
.answers details { margin: 0.2rem 0 0.2rem 1rem; }
summary { cursor: pointer; }
table { width: 100%; border-collapse: collapse; font-size: 0.92rem; }
th, td { padding: 0.3rem 0.6rem 0.3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
[hidden] { display: none !important; }
@media (max-width: 60rem) {
  body { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); }
  nav details:not([open]) { display: inline-block; margin-right: 0.9rem; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --tint: #fff; }
  body { display: block; font-size: 10pt; }
  nav { display: none; }
  main { max-width: none; padding: 0; }
  h3, h4 { break-after: avoid; }
  pre { white-space: pre-wrap; }
  details::details-content { content-visibility: visible; display: block; }
}
`;
