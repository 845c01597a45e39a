//! The booking tool: patients and appointments, told to us. Its contract is ours; the adapter is
//! `provider::booking_tool`.

use super::row::*;
use crate::provider::booking_tool;

pub(super) static BOOKING: Provider = Provider {
    id: booking_tool::PROVIDER,
    name: "Booking tool",
    category: Category::Scheduling,
    connect: Connect::WebhookOnly,
    api: None,
    webhook: Some(Webhook {
        setup: Setup::ByHand,
        address: Address::PerSubscription,
        verifications: &[
            Verification {
                scheme: SignatureScheme::Standard,
                proof: Proof::Secret(booking_tool::STANDARD),
                secret: Secret::Ours,
                client_secret: None,
            },
            Verification {
                scheme: SignatureScheme::Legacy,
                proof: Proof::Secret(booking_tool::LEGACY),
                secret: Secret::Ours,
                client_secret: None,
            },
        ],
        handshake: Handshake::Nothing,
        event_type: EventType::Json(&["/event"]),
        dedupe: Dedupe::Adapter,
        routing: Routing::Endpoint,
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::Booking,
};
