//! Out of office.

use super::*;

#[tokio::test]
async fn absences_are_listed_by_person_and_workspace_where_they_touch_the_days() {
    let stage = Stage::start().await;
    let erika = stage.erika();
    let august = erika.take_leave(stage.workspace, day("2026-08-03"), day("2026-08-14")).unwrap();
    let autumn = erika.take_leave(stage.workspace, day("2026-10-05"), day("2026-10-09")).unwrap();
    let path =
        |query: &str| format!("/ooo_entries?user={}&workspace={}{query}", stage.erika, stage.workspace);

    let all = stage.page(&path(""), None).await;
    let from = stage.page(&path("&start_date=2026-10-09&end_date=2026-12-31"), None).await;
    let nobody = stage.page(&format!("/ooo_entries?workspace={}", stage.workspace), None).await;
    let other =
        stage.page(&format!("/ooo_entries?user={}&workspace={}", stage.max, stage.workspace), None).await;
    erika.cancel_leave(autumn);
    let gone = stage.get(&format!("/ooo_entries/{autumn}")).await;

    assert_eq!(all.gids(), [august, autumn].map(|gid| gid.to_string()));
    assert_eq!(from.gids(), [autumn.to_string()]);
    assert_eq!(from.data()[0]["end_date"], "2026-10-09");
    assert_eq!((nobody.status, other.gids().len(), gone.status), (400, 0, 404));
}

#[tokio::test]
async fn the_api_makes_moves_and_deletes_them() {
    let stage = Stage::start().await;
    let data = json!({ "user": stage.max, "workspace": stage.workspace, "start_date": "2026-10-05",
                       "end_date": "2026-10-09" });

    let made = stage.post("/ooo_entries", data.clone()).await;
    let path = format!("/ooo_entries/{}", made.gid());
    let moved = stage.put(&path, json!({ "end_date": "2026-10-16" })).await;
    let turned = stage.put(&path, json!({ "end_date": "2026-10-01" })).await;
    let deleted = stage.delete(&path).await;

    assert_eq!((made.status, turned.status, deleted.status), (201, 400, 200));
    assert_eq!(moved.data()["end_date"], "2026-10-16");
    assert!(stage.asana.absences().is_empty());
}
