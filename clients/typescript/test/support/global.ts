// One server for all files of a project.

import type { TestProject } from "vitest/node";
import { type Address, Stellwerk } from "./stellwerk.js";

declare module "vitest" {
  export interface ProvidedContext {
    stellwerk: Address;
    /** An API key that may create tenants. */
    operatorKey: string;
  }
}

export default async function setup(project: TestProject) {
  const server = await Stellwerk.start();
  project.provide("stellwerk", server.address);
  project.provide("operatorKey", server.operatorKey());
  return () => server.remove();
}
