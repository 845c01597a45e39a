// How much a page that uses one service loads. Prints it; fails above what the README promises.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const MOST_GZIP_BYTES = 40_000;
const page = `
  import { connect, isStellwerkError, ErrorReason, items, resuming } from "./src/index.ts";
  import { AppointmentService } from "./src/gen/stellwerk/v1/appointment_pb.ts";
  const appointments = connect({ baseUrl: location.origin, token: () => sessionStorage.token }).client(AppointmentService);
  for await (const one of items((page) => appointments.listAppointments(page), (answer) => answer.appointments)) console.log(one);
  appointments.bookAppointment({}).catch((error) => console.log(isStellwerkError(error, ErrorReason.SLOT_TAKEN)));
`;
const { outputFiles } = await build({
  stdin: { contents: page, resolveDir: new URL("..", import.meta.url).pathname, loader: "ts" },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  write: false,
});
const bytes = outputFiles[0].contents.length;
const gzip = gzipSync(outputFiles[0].contents, { level: 9 }).length;
console.log(`one service: ${(bytes / 1000).toFixed(1)} kB, ${(gzip / 1000).toFixed(1)} kB gzip (at most ${MOST_GZIP_BYTES / 1000})`);
if (gzip > MOST_GZIP_BYTES) process.exit(1);
