import { expect } from "vitest";
import { AppointmentStatus } from "../../../src/gen/stellwerk/v1/appointment_pb.js";
import { Resolution, type ReviewService, ReviewState } from "../../../src/gen/stellwerk/v1/review_pb.js";
import { ErrorReason } from "../../../src/index.js";
import { inFuture, refused, type Scenarios } from "../../support/world.js";

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
    const { deadLetters } = await world.reviews.listDeadLetters({ filter: { deadTimeFrom: inFuture(-1) } });

    expect(deadLetters).toEqual([]);
  },

  async requeueDeadLetters(world) {
    const { requeuedCount } = await world.reviews.requeueDeadLetters({ filter: { reason: "nothing is dead for this" } });

    expect(requeuedCount).toBe(0n);
    await refused(world.reviews.requeueDeadLetters({}), ErrorReason.INVALID_FIELD);
  },
};
