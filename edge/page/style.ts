/** The page's whole style. No fonts, no images: nothing comes from elsewhere. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f4f5f2, #12160f);
  --card: light-dark(#ffffff, #1b2117);
  --ink: light-dark(#1c2318, #e9ede4);
  --soft: light-dark(#5f6b57, #9aa691);
  --line: light-dark(#dfe4d9, #2f382a);
  --green: light-dark(#1f7a4d, #4cc38a);
  --on-green: light-dark(#ffffff, #0c150f);
  --amber: light-dark(#9a6200, #f0b64a);
  --red: light-dark(#b3261e, #ff8f85);
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 34rem; min-height: 100dvh;
  background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
header { display: flex; align-items: center; justify-content: space-between; gap: 1rem; padding: .25rem 0 1rem; }
header a { color: inherit; text-decoration: none; font-weight: 700; font-size: 1.15rem; letter-spacing: -.01em; }
header a::before { content: "\\27A4"; color: var(--green); margin-right: .4rem; }
main { display: grid; gap: 1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.15rem; }
h1 { font-size: 1.3rem; line-height: 1.25; margin: 0; letter-spacing: -.015em; }
h2 { font-size: 1rem; margin: 0 0 .6rem; }
p { margin: .35rem 0 0; color: var(--soft); }
form { display: grid; gap: .8rem; margin-top: .8rem; }
label { display: grid; gap: .25rem; font-weight: 600; font-size: .9rem; }
label small { font-weight: 400; color: var(--soft); }
input, textarea {
  width: 100%; padding: .7rem .8rem; border: 1px solid var(--line); border-radius: 10px;
  background: var(--ground); color: inherit; font: 400 1rem/1.4 system-ui, sans-serif; resize: vertical;
}
button {
  padding: .75rem 1rem; border: 0; border-radius: 10px; background: var(--green); color: var(--on-green);
  font: inherit; font-weight: 650; cursor: pointer;
}
button:hover { filter: brightness(1.08); }
button.quiet { padding: .35rem .7rem; background: none; color: var(--soft); border: 1px solid var(--line); font-size: .85rem; }
:focus-visible { outline: 2px solid var(--green); outline-offset: 2px; }
header form { margin: 0; }
.title { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .5rem; }
.pill { padding: .15rem .65rem; border-radius: 99px; border: 1px solid currentcolor; font-size: .82rem; font-weight: 650; color: var(--soft); }
.good { color: var(--green); } .busy { color: var(--amber); } .bad { color: var(--red); }
.pill::before { content: "\\25CF"; margin-right: .35rem; }
.qr { max-width: 20rem; margin: 1rem auto 0; padding: .25rem; background: #fff; border-radius: 12px; }
.qr svg { display: block; width: 100%; height: auto; }
.code {
  display: block; margin: 1rem 0 0; padding: 1rem .5rem; border-radius: 12px; background: var(--ground); text-align: center;
  font: 700 clamp(1.6rem, 9vw, 2.4rem)/1 ui-monospace, monospace; letter-spacing: .12em;
}
ol { margin: .8rem 0 0; padding-left: 1.3rem; color: var(--soft); }
ul { list-style: none; margin: 0; padding: 0; }
li a { display: block; padding: .65rem 0; color: inherit; text-decoration: none; border-top: 1px solid var(--line); }
li:first-child a { border-top: 0; }
li a::after { content: "\\203A"; float: right; color: var(--soft); }
dl { display: grid; grid-template-columns: auto 1fr; gap: .3rem 1rem; margin: .8rem 0 0; }
dt { color: var(--soft); } dd { margin: 0; text-align: right; }
.notice { margin: .8rem 0 0; padding: .6rem .8rem; border-left: 3px solid currentcolor; background: var(--ground); border-radius: 0 8px 8px 0; }
[data-stale] { opacity: .55; }
`
