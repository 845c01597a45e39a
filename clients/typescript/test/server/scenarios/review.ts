import { expect } from "vitest";
import { AppointmentStatus } from "../../../src/gen/stellwerk/v1/appointment_pb.js";
import { Resolution, type ReviewItem, ReviewKind, type ReviewService, ReviewState } from "../../../src/gen/stellwerk/v1/review_pb.js";
import { ErrorReason } from "../../../src/index.js";
import { CalcomAccount } from "../../support/calcom.js";
import { eventually, inFuture, refused, type Scenarios, type World } from "../../support/world.js";

/** Somebody booked at Cal.com what was taken here before the two were linked. */
async function conflicts(world: World): Promise<ReviewItem[]> {
  const account = await CalcomAccount.create();
  const taken = await world.booking(await world.practitioner(account.name), 24);
  await account.book(taken.startTime!);
  await world.linked({ account });
  return eventually(async () => {
    const { reviewItems } = await world.reviews.listReviewItems({ kind: ReviewKind.CONFLICT, state: ReviewState.OPEN });
    return reviewItems.length > 0 ? reviewItems : undefined;
  });
}

export const review: Scenarios<typeof ReviewService> = {
  async listReviewItems(world) {
    const items = await conflicts(world);

    const { appointments } = await world.appointments.listAppointments({ status: AppointmentStatus.CONFLICTING });

    expect(appointments).toHaveLength(1);
    expect(items.map((item) => item.appointmentId)).toContain(appointments[0]!.appointmentId);
    expect(items[0]!.possibleResolutions).toContain(Resolution.DISMISS);
  },

  async resolveReviewItem(world) {
    const { reviewItemId } = (await conflicts(world))[0]!;

    const { reviewItem } = await world.reviews.resolveReviewItem({ reviewItemId, resolution: Resolution.DISMISS });

    expect(reviewItem).toMatchObject({ state: ReviewState.RESOLVED, resolution: Resolution.DISMISS });
    await refused(
      world.reviews.resolveReviewItem({ reviewItemId, resolution: Resolution.RETRY }),
      ErrorReason.REVIEW_ITEM_RESOLVED,
    );
  },

  async listDeadLetters(world) {
    const { deadLetters } = await world.reviews.listDeadLetters({ filter: { deadTimeFrom: inFuture(-1) } });

    expect(deadLetters).toEqual([]);
  },

  async requeueDeadLetters(world) {
    const { requeuedCount } = await world.reviews.requeueDeadLetters({ filter: { reason: "nothing is dead for this" } });

    expect(requeuedCount).toBe(0n);
    await refused(world.reviews.requeueDeadLetters({}), ErrorReason.INVALID_FIELD);
  },
};
