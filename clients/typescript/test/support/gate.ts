// A way to the Cal.com double that keeps some requests waiting: what depends on their answers is under way for as long as a test likes.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { inject } from "vitest";

export class Gate {
  readonly #server = createServer((request, response) => void this.#pass(request, response));
  #waiting: (() => void)[] = [];
  #passes = 0;

  /** Shut for requests to paths that begin like this. */
  static async shutFor(path: string): Promise<Gate> {
    const gate = new Gate(path);
    await new Promise<void>((done) => gate.#server.listen(0, "127.0.0.1", done));
    return gate;
  }

  private constructor(readonly path: string) {}

  /** In the place of the double's. */
  get instanceUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}/v2`;
  }

  /** Lets the next ones pass, so many of them. */
  admit(count: number): void {
    this.#passes += count;
    while (this.#passes > 0 && this.#waiting.length > 0) {
      this.#passes--;
      this.#waiting.shift()!();
    }
  }

  /** Nobody passes any more. */
  close(): Promise<unknown> {
    this.#server.closeAllConnections();
    return new Promise((done) => this.#server.close(done));
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url = "/", headers } = request;
    const body = await buffer(request);
    if (url.startsWith(this.path)) {
      await new Promise<void>((pass) => {
        this.#waiting.push(pass);
        this.admit(0);
      });
    }
    const own = ["authorization", "cal-api-version", "content-type"].flatMap((name) =>
      headers[name] === undefined ? [] : [[name, String(headers[name])] as [string, string]],
    );
    const answer = await fetch(inject("stellwerk").calcomUrl + url, {
      method,
      headers: own,
      ...(body.length > 0 && { body }),
    });
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "application/json" });
    response.end(Buffer.from(await answer.arrayBuffer()));
  }
}
