//! Worlds that outlive their double. What tokens, streams and webhooks make of it stands with those.

use super::*;
use crate::sandbox::keeper::tests::Folder;

impl Stage {
    pub(super) async fn kept(folder: &Folder) -> Self {
        let stage = Self::with(Settings { kept_in: Some(folder.file()), ..Settings::default() }).await;
        stage.asana.keep().unwrap();
        stage
    }

    /// Nothing is told to the one that ends.
    pub(super) async fn next_life(self, folder: &Folder) -> Self {
        let clock = Clock::standing_at(at("2026-10-01T08:10:00Z"));
        let settings = Settings { clock, kept_in: Some(folder.file()), ..Settings::default() };
        Self { asana: Asana::start(settings).await.unwrap(), ..self }
    }

    fn world(&self) -> Value {
        serde_json::to_value(&*self.asana.inner.world()).unwrap()
    }

    /// Something of every kind.
    async fn live(&self) {
        self.asana.add_demo(Client::invented("app", vec!["http://127.0.0.1:9/".into()])).unwrap();
        let kinds = |options| Kind::MultiEnum(options);
        let several = self.asana.add_field(self.workspace, "Gewerke", true, kinds, &["Stahl", "Holz"]);
        let plain = |kind: Kind| move |_| kind;
        let text = self.asana.add_text_field(self.workspace, "Bemerkung");
        let date = self.asana.add_field(self.workspace, "Abnahme", false, plain(Kind::Date), &[]);
        let people = self.asana.add_field(self.workspace, "Team", false, plain(Kind::People), &[]);
        let fields = [self.area.gid, self.hours.gid, several.gid, text.gid, date.gid, people.gid];
        let project = self.asana.add_project(self.workspace, "Werft", &fields);
        let values = json!({
            self.area.gid.to_string(): self.area.options()[1].gid, self.hours.gid.to_string(): 36.25,
            several.gid.to_string(): [several.options()[0].gid], text.gid.to_string(): "eilt",
            date.gid.to_string(): { "date": "2026-12-01" }, people.gid.to_string(): [self.max],
        });
        let body = json!({ "name": "Kran", "projects": [project], "due_at": "2026-11-13T12:00:00Z",
                           "custom_fields": values, "external": { "gid": "kran", "data": "…" } });
        let task = self.post("/tasks", body).await.gid();
        self.post(&format!("/tasks/{task}/subtasks"), json!({ "name": "Seil" })).await.data();
        self.erika().delete_task(self.task("Irrtum"));
        self.erika().log_time(task, 150, day("2026-10-01")).unwrap();
        self.erika().take_leave(self.workspace, day("2026-10-05"), day("2026-10-06")).unwrap();
    }
}

#[tokio::test]
async fn the_next_double_goes_on_with_everything() {
    let folder = Folder::new("asana");
    let first = Stage::kept(&folder).await;
    first.live().await;
    let (world, tasks, projects) = (first.world(), first.asana.tasks(), first.asana.projects());
    let (fields, newest) = (first.asana.fields(), first.task("Letzte"));
    let demo = first.asana.demo().unwrap();

    let second = first.next_life(&folder).await;

    assert_eq!(second.asana.tasks().len(), tasks.len() + 1);
    for task in tasks {
        assert_eq!(second.asana.task(task.gid), Some(task));
    }
    assert_eq!((projects.len(), second.asana.fields()), (second.asana.projects().len(), fields));
    for part in ["workspaces", "users", "fields", "entries", "entries_by_task", "absences", "grants", "log"] {
        assert_eq!(second.world()[part], world[part], "{part}");
    }
    assert_eq!(second.asana.demo().unwrap().tasks, demo.tasks);
    assert!(second.task("Nächste") > newest, "no gid is given twice");
}

#[tokio::test]
async fn time_that_brings_nothing_writes_nothing() {
    let folder = Folder::new("asana-idle");
    let stage = Stage::kept(&folder).await;
    std::fs::remove_file(folder.file()).unwrap();

    stage.asana.advance(TimeDelta::hours(1)).await;

    assert!(!folder.file().exists());
}
