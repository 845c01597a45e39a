// How much README's page loads, and one for each service, with all that the package has beside it. Fails above what README promises.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const README_GZIP_BYTES = 40_000;
const MOST_GZIP_BYTES = 45_000;
const CLIENT = new URL("..", import.meta.url).pathname;
const GENERATED = `${CLIENT}src/gen/stellwerk/v1`;

/** The services of the package, each with the name of its file. */
const services = readdirSync(GENERATED).flatMap((name) => {
  const [, service] = readFileSync(`${GENERATED}/${name}`, "utf8").match(/export const (\w+Service): GenService/) ?? [];
  return service === undefined ? [] : [[service, name.replace("_pb.ts", "")]];
});

/** A page that calls a service; what is exported, no bundler leaves out. */
const page = (service, file) => `
  import { connect } from "@stellwerk/client";
  import { ${service} } from "@stellwerk/client/${file}";
  export * from "@stellwerk/client";
  export const client = connect({ baseUrl: location.origin, token: () => sessionStorage.token }).client(${service});
`;
const [, snippet] = readFileSync(`${CLIENT}../README.md`, "utf8").match(/^```ts browser\n([^]*?)^```$/m);

/** A page's bytes, and those that a server sends of it. */
async function sizes(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: CLIENT, loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  return [outputFiles[0].contents.length, gzipSync(outputFiles[0].contents, { level: 9 }).length];
}

const pages = services.map(([service, file]) => [service, page(service, file), MOST_GZIP_BYTES]);
for (const [name, contents, mostBytes] of [["README's page", snippet, README_GZIP_BYTES], ...pages]) {
  const [bytes, gzip] = await sizes(contents);
  const [all, sent] = [bytes, gzip].map((size) => (size / 1000).toFixed(1));
  console.log(`${name.padEnd(18)} ${all} kB, ${sent} kB gzip (at most ${mostBytes / 1000})`);
  if (gzip > mostBytes) process.exitCode = 1;
}
