//! Custom fields: discovery, values, and where they are not.

use super::*;

impl Stage {
    async fn write(&self, task: Gid, field: Gid, value: Value) -> Reply {
        self.put(&format!("/tasks/{task}"), json!({ "custom_fields": { field.to_string(): value } })).await
    }
}

fn value(reply: &Reply, field: &CustomField) -> Value {
    let fields = reply.data()["custom_fields"].as_array().unwrap();
    fields.iter().find(|one| one["gid"] == json!(field.gid)).cloned().unwrap_or_default()
}

#[tokio::test]
async fn discovery_tells_a_projects_fields_and_of_a_workspace_the_shared_ones() {
    let stage = Stage::start().await;
    let local = stage.asana.add_field(stage.workspace, "Nur hier", false, |_| Kind::Text, &[]);
    stage.erika().attach_field(stage.project, local.gid).unwrap();
    let fields = "custom_field.name,custom_field.resource_subtype,custom_field.precision,custom_field.format,\
                  custom_field.enum_options.name,custom_field.enum_options.enabled,\
                  custom_field.enum_options.color";

    let compact = stage.page(&format!("/projects/{}/custom_field_settings", stage.project), None).await;
    let path = format!("/projects/{}/custom_field_settings?opt_fields={fields}", stage.project);
    let settings = stage.page(&path, None).await;
    let shared = stage.page(&format!("/workspaces/{}/custom_fields", stage.workspace), None).await;

    assert_eq!(compact.data()[0].as_object().unwrap().len(), 2, "{compact:?}");
    let (area, hours) = (&settings.data()[0]["custom_field"], &settings.data()[1]["custom_field"]);
    assert_eq!((&area["name"], &area["enum_options"][1]["name"]), (&json!("Bereich"), &json!("Montage")));
    assert_eq!((&hours["precision"], &hours["format"]), (&json!(2), &json!("none")));
    assert_eq!(settings.data()[2]["custom_field"]["name"], "Nur hier");
    assert_eq!(shared.gids(), [stage.area.gid.to_string(), stage.hours.gid.to_string()]);
}

#[tokio::test]
async fn a_number_is_rounded_to_the_fields_precision_half_away_from_zero() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");

    for (written, kept) in
        [(json!(12.345), json!(12.35)), (json!(0.005), json!(0.01)), (json!(40), json!(40))]
    {
        let reply = stage.write(task, stage.hours.gid, written).await;
        assert_eq!(value(&reply, &stage.hours)["number_value"], kept);
    }
    assert_eq!(stage.write(task, stage.hours.gid, json!("12")).await.status, 400);
}

#[tokio::test]
async fn an_option_is_written_by_its_gid_and_never_a_disabled_one() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let [production, assembly, office] = [0, 1, 2].map(|nth| stage.area.options()[nth].gid);
    stage.erika().set_field(task, stage.area.gid, production.to_string()).unwrap();
    let disable = stage.put(&format!("/enum_options/{office}"), json!({ "enabled": false })).await;

    let by_gid = stage.write(task, stage.area.gid, json!(assembly)).await;
    let by_name = stage.write(task, stage.area.gid, json!("Montage")).await;
    let disabled = stage.write(task, stage.area.gid, json!(office)).await;
    let cleared = stage.write(task, stage.area.gid, Value::Null).await;

    assert_eq!(disable.data()["enabled"], false);
    assert_eq!(value(&by_gid, &stage.area)["enum_value"]["name"], "Montage");
    assert_eq!((by_name.status, disabled.status), (400, 400));
    assert_eq!(value(&cleared, &stage.area)["enum_value"], Value::Null);
}

#[tokio::test]
async fn a_field_no_project_of_the_task_has_is_refused_and_with_it_the_whole_write() {
    let stage = Stage::start().await;
    let elsewhere = stage.asana.add_number_field(stage.workspace, "Menge", 0);
    let task = stage.task("Fundament");
    let sub = stage.erika().create_subtask(task, json!({ "name": "Schalung" })).unwrap();

    let data = json!({ "due_on": "2026-11-13", "custom_fields": { elsewhere.gid.to_string(): 3 } });
    let refused = stage.put(&format!("/tasks/{task}"), data).await;
    let below = stage.write(sub, stage.hours.gid, json!(3)).await;

    let message = format!("Custom field with ID {} is not on given object", elsewhere.gid);
    assert_eq!(refused.refusal(), (400, message.as_str()));
    assert_eq!(below.status, 400);
    assert_eq!(stage.asana.task(task).unwrap().due, None);
}

#[tokio::test]
async fn what_a_task_kept_of_a_detached_field_can_be_read_and_only_cleared() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    stage.erika().set_field(task, stage.hours.gid, 12).unwrap();
    stage.erika().detach_field(stage.project, stage.hours.gid).unwrap();

    let kept = stage.get(&format!("/tasks/{task}")).await;
    let refused = stage.write(task, stage.hours.gid, json!(13)).await;
    let cleared = stage.write(task, stage.hours.gid, Value::Null).await;

    let kept = value(&kept, &stage.hours);
    assert_eq!((&kept["enabled"], &kept["number_value"]), (&json!(false), &json!(12)));
    assert_eq!(refused.status, 400);
    assert_eq!(value(&cleared, &stage.hours), Value::Null);
}

#[tokio::test]
async fn locked_fields_and_formulas_are_not_written() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    stage.asana.edit_field(stage.area.gid, |field| field.is_locked = true).unwrap();
    stage.asana.edit_field(stage.hours.gid, |field| field.is_formula = true).unwrap();

    let locked = stage.write(task, stage.area.gid, Value::Null).await;
    let formula = stage.write(task, stage.hours.gid, json!(1)).await;

    assert_eq!((locked.status, formula.status), (403, 400));
}

#[tokio::test]
async fn a_free_workspace_has_no_custom_fields() {
    let stage = Stage::with(Settings { plan: Plan::Free, ..Settings::default() }).await;

    let settings = stage.page(&format!("/projects/{}/custom_field_settings", stage.project), None).await;
    let written = stage.write(stage.task("Fundament"), stage.hours.gid, json!(1)).await;

    assert_eq!((settings.status, written.status), (402, 402));
}
