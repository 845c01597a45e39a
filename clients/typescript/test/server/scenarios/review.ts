import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { AppointmentStatus } from "../../../src/gen/stellwerk/v1/appointment_pb.js";
import { MessageKind, Resolution, type ReviewService, ReviewState } from "../../../src/gen/stellwerk/v1/review_pb.js";
import { ErrorReason } from "../../../src/index.js";
import { givenUp } from "../../support/asana.js";
import { eventually, refused, type Scenarios } from "../../support/world.js";

export const review: Scenarios<typeof ReviewService> = {
  async listReviewItems(world) {
    const items = await world.conflicts();

    const { appointments } = await world.appointments.listAppointments({ status: AppointmentStatus.CONFLICTING });

    expect(appointments).toHaveLength(1);
    expect(items.map((item) => item.appointmentId)).toContain(appointments[0]!.appointmentId);
    expect(items[0]!.possibleResolutions).toContain(Resolution.DISMISS);
  },

  async resolveReviewItem(world) {
    const { reviewItemId } = (await world.conflicts())[0]!;

    const { reviewItem } = await world.reviews.resolveReviewItem({ reviewItemId, resolution: Resolution.DISMISS });

    expect(reviewItem).toMatchObject({ state: ReviewState.RESOLVED, resolution: Resolution.DISMISS });
    await refused(
      world.reviews.resolveReviewItem({ reviewItemId, resolution: Resolution.RETRY }),
      ErrorReason.REVIEW_ITEM_RESOLVED,
    );
  },

  async listDeadLetters(world) {
    const { world: demo, deadLetter } = await givenUp();

    const { deadLetters } = await demo.reviews.listDeadLetters({ filter: { reason: deadLetter.reason } });
    const theirs = await world.reviews.listDeadLetters({});

    expect(deadLetter.kind).toBe(MessageKind.PHASE_PUSH);
    // Either the deletion was heard of before the change was due, or the board does not know the task.
    expect(["PHASE_NOT_PRESENT", "NOT_FOUND"]).toContain(deadLetter.reason);
    expect(deadLetters).toContainEqual(deadLetter);
    expect(theirs.deadLetters).toEqual([]);
  },

  async requeueDeadLetters(world) {
    const { world: demo, deadLetter } = await givenUp();
    const { deadLetterId, deadTime, lane } = deadLetter;

    const nothing = await demo.reviews.requeueDeadLetters({ filter: { reason: "nothing is dead for this" } });
    const { requeuedCount } = await demo.reviews.requeueDeadLetters({ deadLetterIds: [deadLetterId] });

    expect([nothing.requeuedCount, requeuedCount]).toEqual([0n, 1n]);
    // The task is still gone: it is tried again, and given up again.
    await eventually(async () => {
      const { deadLetters } = await demo.reviews.listDeadLetters({ filter: { deadTimeFrom: deadTime! } });
      const again = deadLetters.find((one) => one.lane === lane);
      return again && timestampMs(again.deadTime!) > timestampMs(deadTime!) ? true : undefined;
    });
    await refused(world.reviews.requeueDeadLetters({ deadLetterIds: [deadLetterId] }), ErrorReason.DEAD_LETTER_NOT_FOUND);
    await refused(world.reviews.requeueDeadLetters({}), ErrorReason.INVALID_FIELD);
  },
};
