//! Event streams.

use super::*;
use crate::sandbox::keeper::tests::Folder;

impl Stage {
    async fn events(&self, sync: Option<&str>) -> Reply {
        let sync = sync.map(|sync| format!("&sync={sync}")).unwrap_or_default();
        self.get(&format!("/events?resource={}{sync}", self.project)).await
    }

    /// A token from now on.
    async fn sync(&self) -> String {
        let reply = self.events(None).await;
        assert_eq!(reply.status, 412);
        reply.sync()
    }
}

impl Reply {
    fn sync(&self) -> String {
        self.body["sync"].as_str().expect("a token").to_owned()
    }
}

#[tokio::test]
async fn the_first_call_gives_a_token_and_later_ones_what_happened_since() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let sync = stage.sync().await;
    stage.erika().set_dates(task, Some(day("2026-11-02")), Some(day("2026-11-13"))).unwrap();

    let told = stage.events(Some(&sync)).await;
    let again = stage.events(Some(&sync)).await;
    let next = stage.events(Some(&told.sync())).await;
    let back = stage.events(Some(&sync)).await;

    let events = told.data().as_array().unwrap();
    let fields: Vec<_> = events.iter().filter_map(|event| event["change"]["field"].as_str()).collect();
    assert_eq!(fields, ["start_on", "due_on"]);
    assert_eq!(events[0]["resource"]["gid"], json!(task));
    assert_eq!(events[0]["user"]["gid"], json!(stage.erika));
    assert!(events.iter().all(|event| event["change"]["new_value"].is_null()));
    assert_eq!(again.data(), told.data());
    assert_eq!((next.data(), &next.body["has_more"]), (&json!([]), &json!(false)));
    assert_eq!(back.status, 412, "a token that was read past is dead");
}

#[tokio::test]
async fn more_than_a_hundred_events_come_in_pages() {
    let stage = Stage::with(Settings { stories: false, ..Settings::default() }).await;
    let task = stage.task("Fundament");
    let sync = stage.sync().await;
    for hours in 1..=150 {
        stage.erika().set_field(task, stage.hours.gid, hours).unwrap();
    }

    let first = stage.events(Some(&sync)).await;
    let second = stage.events(Some(&first.sync())).await;

    assert_eq!((first.data().as_array().unwrap().len(), &first.body["has_more"]), (100, &json!(true)));
    assert_eq!((second.data().as_array().unwrap().len(), &second.body["has_more"]), (50, &json!(false)));
}

#[tokio::test]
async fn a_token_ends_with_its_day_under_load_and_for_another_resource() {
    let stage = Stage::start().await;
    let other = stage.asana.add_project(stage.workspace, "Halle 8", &[]);
    let (old, strange) = (stage.sync().await, stage.sync().await);
    let strange = stage.get(&format!("/events?resource={other}&sync={strange}")).await;
    stage.asana.advance(TimeDelta::hours(25)).await;

    let too_old = stage.events(Some(&old)).await;
    let fresh = stage.events(Some(&too_old.sync())).await;
    stage.asana.expire_sync_tokens();
    let under_load = stage.events(Some(&fresh.sync())).await;

    assert_eq!([strange.status, too_old.status, fresh.status, under_load.status], [412, 412, 200, 412]);
}

#[tokio::test]
async fn a_custom_field_change_names_the_field_and_no_value() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let sync = stage.sync().await;
    stage.erika().set_field(task, stage.hours.gid, 40).unwrap();
    stage.erika().set_field(task, stage.hours.gid, 40).unwrap();

    let told = stage.events(Some(&sync)).await;

    let changes: Vec<_> =
        told.data().as_array().unwrap().iter().filter(|one| one["action"] == "changed").collect();
    assert_eq!(changes.len(), 1, "writing the same again changes nothing");
    assert_eq!(changes[0]["change"]["field"], "custom_fields");
    assert_eq!(changes[0]["change"]["new_value"]["gid"], json!(stage.hours.gid));
    assert!(changes[0]["change"]["new_value"].get("number_value").is_none());
}

#[tokio::test]
async fn coming_leaving_deleting_and_coming_back_are_told_to_the_projects_concerned() {
    let stage = Stage::with(Settings { stories: false, ..Settings::default() }).await;
    let other = stage.asana.add_project(stage.workspace, "Halle 8", &[]);
    let sync = stage.sync().await;
    let there = stage.get(&format!("/events?resource={other}")).await.sync();
    let erika = stage.erika();
    let task = erika.create_task(stage.project, json!({ "name": "Fundament" })).unwrap();
    erika.move_task(task, stage.project, other).unwrap();
    erika.delete_task(task);
    erika.undelete_task(task);

    let here = stage.events(Some(&sync)).await;
    let there = stage.get(&format!("/events?resource={other}&sync={there}")).await;

    let told = |reply: &Reply| -> Vec<String> {
        let events = reply.data().as_array().unwrap().iter();
        let of_projects =
            events.filter(|one| one["parent"].is_null() || one["parent"]["resource_type"] == "project");
        of_projects
            .map(|one| {
                format!(
                    "{} {}",
                    one["action"].as_str().unwrap(),
                    one["parent"]["name"].as_str().unwrap_or("-")
                )
            })
            .collect()
    };
    assert_eq!(told(&here), ["added Halle 7", "added Halle 8", "removed Halle 7"]);
    assert_eq!(told(&there), ["added Halle 8", "removed Halle 7", "deleted -", "undeleted -"]);
}

#[tokio::test]
async fn what_happened_is_seen_only_after_a_while_where_that_is_wanted() {
    let stage = Stage::with(Settings { event_delay: TimeDelta::minutes(1), ..Settings::default() }).await;
    let task = stage.task("Fundament");
    let sync = stage.sync().await;
    stage.erika().comment(task).unwrap();

    let early = stage.events(Some(&sync)).await;
    stage.asana.advance(TimeDelta::minutes(2)).await;
    let late = stage.events(Some(&early.sync())).await;

    assert_eq!((early.data(), late.data().as_array().unwrap().len()), (&json!([]), 1));
}

#[tokio::test]
async fn the_workspaces_stream_is_not_for_ordinary_callers() {
    let stage = Stage::start().await;

    let refused = stage.get(&format!("/workspaces/{}/events", stage.workspace)).await;

    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn a_stream_that_was_read_to_its_end_outlives_the_double_and_another_begins_anew() {
    let folder = Folder::new("asana-streams");
    let first = Stage::kept(&folder).await;
    let task = first.task("Fundament");
    let behind = first.sync().await;
    first.erika().set_field(task, first.hours.gid, 8).unwrap();
    let at_end = first.sync().await;

    let second = first.next_life(&folder).await;
    second.erika().set_field(task, second.hours.gid, 9).unwrap();

    assert_eq!(second.events(Some(&behind)).await.status, 412, "an event in between is not known any more");
    let told = second.events(Some(&at_end)).await;
    assert_eq!(told.data()[0]["resource"]["gid"], json!(task));
}
