// A real `stellwerk dev`, with a PostgreSQL of its own, on free ports.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Where the tests find it. */
export interface Address {
  readonly baseUrl: string;
  readonly httpUrl: string;
  /** The Cal.com double. */
  readonly calcomUrl: string;
  /** The Asana double. */
  readonly asanaUrl: string;
  readonly adminKey: string;
  readonly webhookPath: string;
  readonly webhookSecret: string;
  /** As in STELLWERK_DATA_DIR. */
  readonly dataDir: string;
}

const ROOT = resolve(import.meta.dirname, "../../../..");
/** Where cargo builds. */
export const TARGET = resolve(ROOT, process.env["CARGO_TARGET_DIR"] ?? "target");
export const BINARY = process.env["STELLWERK_BIN"] ?? join(TARGET, "debug/stellwerk");
const PATIENCE_MS = 60_000;

export class Stellwerk {
  readonly #folder: string;
  readonly #ports: readonly number[];
  readonly #settings: Record<string, string>;
  #child: ChildProcess | undefined;

  private constructor(folder: string, ports: readonly number[], settings: Record<string, string>) {
    this.#folder = folder;
    this.#ports = ports;
    this.#settings = settings;
  }

  static async start(settings: Record<string, string> = {}): Promise<Stellwerk> {
    const folder = mkdtempSync(join(tmpdir(), "stellwerk-client-"));
    // Started as root, PostgreSQL runs as somebody else, who must be able to enter.
    chmodSync(folder, 0o711);
    const server = new Stellwerk(folder, await freePorts(6), settings);
    await server.start();
    return server;
  }

  /** Starts it again on the same ports and data. */
  async start(): Promise<void> {
    const [grpc, http, metrics, booking, calcom, asana] = this.#ports.map((port) => `127.0.0.1:${port}`);
    const child = spawn(BINARY, ["dev"], {
      env: {
        ...process.env,
        STELLWERK_DATA_DIR: join(this.#folder, "data"),
        STELLWERK_GRPC_ADDRESS: grpc,
        STELLWERK_HTTP_ADDRESS: http,
        STELLWERK_METRICS_ADDRESS: metrics,
        STELLWERK_SANDBOX_ADDRESS: booking,
        STELLWERK_SANDBOX_CALCOM_ADDRESS: calcom,
        STELLWERK_SANDBOX_ASANA_ADDRESS: asana,
        STELLWERK_RETURN_URLS: "https://board.example.org/",
        // What the tests themselves listen on.
        STELLWERK_EGRESS_ALLOW: "127.0.0.1",
        STELLWERK_LOG: "warn",
        ...this.#settings,
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await this.#isReady())) {
      if (child.exitCode !== null) throw new Error(`stellwerk ended with ${child.exitCode}: ${said}`);
      if (Date.now() > deadline) throw new Error(`stellwerk did not become ready: ${said}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await ended;
  }

  /** Ends it and removes its data. */
  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get address(): Address {
    const dataDir = join(this.#folder, "data");
    const demo = JSON.parse(readFileSync(join(dataDir, "demo.json"), "utf8"));
    return {
      baseUrl: `http://127.0.0.1:${this.#ports[0]}`,
      httpUrl: `http://127.0.0.1:${this.#ports[1]}`,
      calcomUrl: `http://127.0.0.1:${this.#ports[4]}`,
      asanaUrl: `http://127.0.0.1:${this.#ports[5]}`,
      adminKey: demo.admin_key,
      webhookPath: demo.webhook_path,
      webhookSecret: demo.webhook_secret,
      dataDir,
    };
  }

  /** A new key that may create tenants. */
  operatorKey(): string {
    return JSON.parse(this.run("api-key", "create", "--operator", "--name", "tests", "--json")).api_key;
  }

  /** The command line over the same data, as in `api-key create`. */
  run(...args: string[]): string {
    const env = { ...process.env, STELLWERK_DATA_DIR: join(this.#folder, "data"), STELLWERK_LOG: "warn" };
    return execFileSync(BINARY, args, { env, encoding: "utf8" });
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await fetch(`http://127.0.0.1:${this.#ports[1]}/readyz`)).ok;
    } catch {
      return false;
    }
  }
}

/** Ports that the system just gave away, all held until all are known. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((done) => server.listen(0, "127.0.0.1", () => done(server)));
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
