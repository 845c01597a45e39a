//! A large office.

use super::*;

/// Few enough for every run of the tests; the benches have a hundred projects of a thousand tasks.
#[tokio::test]
async fn a_large_office_is_made_and_read_without_a_request_too_many() {
    let stage = Stage::with(Settings { limits: Limits::none(), ..Settings::default() }).await;
    let office = stage.asana.add_office(stage.workspace, 5, 1000).unwrap();

    let mut pages = 0;
    for project in &office.projects {
        let (gids, of_project) = stage.all(&format!("/tasks?project={project}&opt_fields=name,due_on")).await;
        assert_eq!(gids.len(), 1000);
        pages += of_project;
    }

    assert_eq!((office.projects.len(), pages), (5, 50));
    assert_eq!(stage.asana.count(Operation::ListTasks), 50);
    assert!(stage.asana.events().is_empty());
}
