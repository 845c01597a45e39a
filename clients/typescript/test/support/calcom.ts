// An account at the Cal.com double that `stellwerk dev` runs.

import { randomUUID } from "node:crypto";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { inject } from "vitest";
import { inFuture } from "./world.js";

export class CalcomAccount {
  private constructor(
    /** The account's host. */
    readonly name: string,
    readonly apiKey: string,
    readonly instanceUrl: string,
    readonly eventTypeId: number,
  ) {}

  /** A host who can always be booked, for half an hour. */
  static async create(): Promise<CalcomAccount> {
    const name = `Dr. Jona Beispiel ${randomUUID()}`;
    const email = `${randomUUID()}@example.org`;
    const user = await post<{ id: number; api_key: string }>("/users", { name, email, time_zone: "Europe/Berlin" });
    const { id } = await post<{ id: number }>("/event-types", {
      user_id: user.id,
      slug: "massage",
      title: "Massage",
      length_minutes: 30,
    });
    return new CalcomAccount(name, user.api_key, `${inject("stellwerk").calcomUrl}/v2`, id);
  }

  /** An attendee books there, without asking us. */
  async book(start: ReturnType<typeof inFuture>): Promise<void> {
    await post("/bookings", {
      event_type_id: this.eventTypeId,
      start: timestampDate(start).toISOString(),
      name: "Erika Muster",
      email: `${randomUUID()}@example.org`,
    });
  }
}

async function post<T>(path: string, body: object): Promise<T> {
  const answer = await fetch(`${inject("stellwerk").calcomUrl}/sandbox${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`the double refused ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}
