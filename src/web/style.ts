/** The pages' style: light or dark as the reader's system is, one column on a phone. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #fbfaf8; --card: #ffffff; --line: #e2dfd9; --text: #1d1c1a; --quiet: #65615a; --link: #1a5fb4;
  --good: #1d6b3a; --busy: #8a5300; --live: #b3261e; --bad: #b3261e; --tint: 12%;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131211; --card: #1b1a18; --line: #33302c; --text: #d9d5ce; --quiet: #989289; --link: #8db8ee;
    --good: #7fc796; --busy: #dfae62; --live: #f0857d; --bad: #f0857d; --tint: 18%;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 0 1rem 2rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
a { color: var(--link); text-underline-offset: 0.15em; }
header { display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; align-items: baseline; padding: 1rem 0;
  border-bottom: 1px solid var(--line); }
nav { display: flex; gap: 1rem; }
.brand { font-weight: 650; color: inherit; text-decoration: none; }
h1 { font-size: 1.35rem; margin: 1.25rem 0 0.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 0.5rem; }
footer, .quiet { color: var(--quiet); }
footer { margin-top: 2rem; font-size: 0.85rem; }
code, .mono { font-family: ui-monospace, monospace; font-size: 0.9em; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: 0.75rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.4rem; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 500; color: var(--quiet); font-size: 0.85rem; }
th, td { padding: 0.5rem 0.75rem 0.5rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; }
.time, .length, .name, .badge { white-space: nowrap; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: 0.25rem 1.25rem; margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
.badge { display: inline-block; padding: 0 0.55em; border-radius: 1em; font-size: 0.85rem; color: var(--tone);
  background: color-mix(in srgb, var(--tone) var(--tint), transparent); }
.badge.recording { --tone: var(--live); } .badge.ended, .badge.sealed, .badge.waiting, .badge.warning { --tone: var(--busy); }
.badge.delivered, .badge.ok { --tone: var(--good); } .badge.failed, .badge.error { --tone: var(--bad); }
.notice { margin: 1rem 0; padding: 0.75rem 1rem; border-left: 0.25rem solid var(--bad); background: var(--card); }
.pages { display: flex; gap: 1.5rem; margin-top: 1rem; }
@media (max-width: 44rem) {
  table.list thead { display: none; }
  table.list tr { display: block; padding: 0.6rem 0; border-bottom: 1px solid var(--line); }
  table.list td { display: block; padding: 0.05rem 0; border: 0; }
  table.list td[data-label]::before { content: attr(data-label) " "; color: var(--quiet); }
  dl { grid-template-columns: 1fr; } dt { margin-top: 0.5rem; }
}
`;
