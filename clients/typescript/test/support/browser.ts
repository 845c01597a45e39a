// A page with one script, and the browser that opens it.

import { createServer } from "node:http";

export const CHROMIUM = {
  executablePath: process.env["STELLWERK_CHROMIUM"] ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    // Other names for this machine, so that a page can have an origin that is not allowed, or not safe.
    "--host-resolver-rules=MAP foreign.example 127.0.0.1, MAP desk.example 127.0.0.1",
  ],
};

/** Serves the script on a page of its own. */
export async function serve(script: string): Promise<{ url: string; port: number; close(): Promise<unknown> }> {
  const web = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((done) => web.listen(0, "127.0.0.1", done));
  const { port } = web.address() as { port: number };
  const close = () => {
    web.closeAllConnections();
    return new Promise((done) => web.close(done));
  };
  return { url: `http://localhost:${port}/`, port, close };
}
