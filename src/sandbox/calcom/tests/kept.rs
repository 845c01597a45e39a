//! Worlds that outlive their double.

use super::*;
use crate::sandbox::keeper::tests::Folder;

impl Stage {
    async fn kept(folder: &Folder) -> Self {
        let stage = Self::with(Settings { kept_in: Some(folder.file()), ..Settings::default() }).await;
        stage.calcom.keep().unwrap();
        stage
    }

    /// Nothing is told to the one that ends.
    async fn next_life(self, folder: &Folder) -> Self {
        let clock = Clock::standing_at(at("2026-10-02T08:00:00Z"));
        let settings = Settings { clock, kept_in: Some(folder.file()), ..Settings::default() };
        Self { calcom: Calcom::start(settings).await.unwrap(), ..self }
    }

    fn world(&self) -> Value {
        serde_json::to_value(&*self.calcom.inner.world()).unwrap()
    }

    /// Something of every kind.
    async fn live(&self) {
        let options = EventTypeOptions {
            seats: Some(3),
            required_fields: vec!["reason".into()],
            recurrence: Some(Recurrence { frequency: Frequency::Weekly, interval: 1, occurrences: 4 }),
            ..EventTypeOptions::default()
        };
        let class = self.event_type("class", 60, options);
        self.calcom.add_demo().unwrap();
        self.calcom.set_hours(self.host.id, Hours::weekdays(8, 18)).unwrap();
        let subscriber = "http://127.0.0.1:9/hook";
        self.calcom.subscribe(Scope::EventType(class), subscriber, Some("hush"), &ALL).unwrap();
        self.post("/v2/bookings", erika(self.visit, "2026-10-14T07:30:00Z")).await.data();
        let moved = self.book("2026-10-14T09:30:00Z").await;
        self.calcom.reschedule_as_attendee(&moved.uid, at("2026-10-15T09:30:00Z")).await.unwrap();
        let cancelled = self.book("2026-10-16T09:30:00Z").await;
        self.calcom.cancel_as_host(&cancelled.uid, Some("ill")).await.unwrap();
        let reserve = json!({ "eventTypeId": self.visit, "slotStart": "2026-10-19T09:30:00Z" });
        self.post("/v2/slots/reservations", reserve).await.data();
        self.calcom.block(self.host.id, at("2026-10-20T08:00:00Z"), at("2026-10-20T12:00:00Z"));
        self.calcom.block_attendee("unwanted@example.org");
        self.calcom.watch_attendee("spam@example.org");
    }
}

#[tokio::test]
async fn the_next_double_goes_on_with_everything() {
    let folder = Folder::new("calcom");
    let first = Stage::kept(&folder).await;
    first.live().await;
    let (world, bookings, webhooks) = (first.world(), first.calcom.bookings(), first.calcom.webhooks());
    let newest = bookings.iter().map(|booking| booking.id).max();
    let demo = first.calcom.demo().unwrap();

    let second = first.next_life(&folder).await;

    assert_eq!(second.world(), world);
    assert_eq!((second.calcom.bookings(), second.calcom.webhooks()), (bookings, webhooks));
    assert_eq!(second.calcom.demo().unwrap().user.api_key, demo.user.api_key);
    assert_eq!(second.get("/v2/me").await.status, 200, "the key is good");
    let next = second.book("2026-10-21T09:30:00Z").await;
    assert!(Some(next.id) > newest, "no number is given twice");
}

#[tokio::test]
async fn a_world_that_nobody_keeps_leaves_no_file() {
    let folder = Folder::new("calcom-unkept");
    let stage = Stage::with(Settings { kept_in: Some(folder.file()), ..Settings::default() }).await;

    stage.book("2026-10-14T09:30:00Z").await;

    assert!(!folder.file().exists());
}
