import { html, type Html } from './html.ts';

export interface PageFrame {
  readonly title: string;
  /** Product and version, for the foot of the page. */
  readonly software: string;
  /** Seconds after which the browser loads the page again; never when left out. */
  readonly refresh?: number;
}

/** A whole page. It needs no script and nothing from other hosts. */
export function renderPage(frame: PageFrame, content: Html): string {
  const refresh =
    frame.refresh === undefined ? undefined : html`<meta http-equiv="refresh" content="${frame.refresh}" />`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        ${refresh}
        <title>${frame.title} · Sealtape</title>
        <link rel="stylesheet" href="/style.css" />
        <link rel="icon" href="data:," />
      </head>
      <body>
        <header>
          <a class="brand" href="/">Sealtape</a>
          <nav>
            <a href="/">Recordings</a>
            <a href="/queues">Jobs</a>
            <a href="/healthz">Health</a>
          </nav>
        </header>
        <main>${content}</main>
        <footer>${frame.software}</footer>
      </body>
    </html> `.text;
}
