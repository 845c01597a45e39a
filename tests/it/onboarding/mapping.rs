//! Custom fields, what they are suggested and mapped to, and what a mapping would lose.

use serde_json::{Value, json};
use stellwerk::{
    proto::{
        self, Area, CustomField, CustomFieldRole, FieldMapping, ListCustomFieldsResponse, NameMatch,
        OnboardingStep, OptionMapping, PreviewFieldMappingResponse,
    },
    sandbox::asana::{Format, Kind},
};

use crate::support::{
    fields,
    planned::{self, Planned},
    reason,
};

async fn list(planned: &Planned) -> ListCustomFieldsResponse {
    let request = proto::ListCustomFieldsRequest { integration_id: planned.id(), ..Default::default() };
    planned.admin.onboarding().list_custom_fields(request).await.unwrap().into_inner()
}

fn named<'a>(fields: &'a [CustomField], name: &str) -> &'a CustomField {
    fields.iter().find(|field| field.name == name).unwrap()
}

async fn preview(planned: &Planned, mapping: Option<FieldMapping>) -> PreviewFieldMappingResponse {
    let request = proto::PreviewFieldMappingRequest {
        integration_id: planned.id(),
        field_mapping: mapping,
        task_count: 0,
    };
    planned.admin.onboarding().preview_field_mapping(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn fields_are_suggested_by_name_and_type_and_show_what_they_hold() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    planned.asana.add_text_field(planned.workspace, "Bereichsnotiz");
    planned.asana.edit_field(planned.area.gid, |field| field.description = "Wer es macht".into()).unwrap();
    planned.select(planned.workspace).await.unwrap();

    let found = list(&planned).await;

    let area = named(&found.fields, "Bereich");
    assert_eq!((area.suggested_role(), area.r#match()), (CustomFieldRole::Area, NameMatch::Exact));
    assert!(area.is_best_match);
    assert_eq!((area.description.as_str(), area.hours_obstacle.as_str()), ("Wer es macht", "WRONG_TYPE"));
    let options: Vec<_> = area.options.iter().map(|one| (one.name.as_str(), one.suggested_area())).collect();
    assert_eq!(
        options,
        [("Produktion", Area::Production), ("Montage", Area::Assembly), ("Verwaltung", Area::Unspecified)]
    );
    assert!(area.options.iter().all(|one| !one.color.is_empty() && one.is_enabled));
    let hours = named(&found.fields, "Soll-Stunden");
    assert_eq!((hours.suggested_role(), hours.precision), (CustomFieldRole::Hours, 2));
    let note = named(&found.fields, "Bereichsnotiz");
    assert_eq!(
        (note.suggested_role(), note.area_obstacle.as_str()),
        (CustomFieldRole::Unspecified, "WRONG_TYPE")
    );
    assert_eq!(found.fields.last(), Some(note), "what fits comes first");
    assert_eq!(found.hint, "");
}

#[tokio::test]
async fn fields_of_single_projects_are_listed_too_and_each_once() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    let own = planned.asana.add_field(planned.workspace, "Arbeitsbereich", false, Kind::Enum, &["Montage"]);
    planned.asana.add_project(planned.workspace, "Wohnhaus", &[own.gid, planned.area.gid]);
    planned.asana.add_project(planned.workspace, "Werkhalle", &[own.gid]);
    planned.select(planned.workspace).await.unwrap();

    let found = list(&planned).await;

    let arbeitsbereich = named(&found.fields, "Arbeitsbereich");
    assert_eq!((arbeitsbereich.is_global, arbeitsbereich.project_count), (false, 2));
    assert!(!arbeitsbereich.is_best_match, "the shared one goes before it");
    assert_eq!(found.fields.len(), 3);
}

#[tokio::test]
async fn a_field_of_its_own_is_listed_for_every_project_that_has_one() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    for nth in 0..30 {
        let name = format!("Feld {nth:02}");
        let own = planned.asana.add_field(planned.workspace, &name, false, Kind::Enum, &["ja"]);
        planned.asana.add_project(planned.workspace, &name, &[own.gid]);
    }
    planned.select(planned.workspace).await.unwrap();

    let all = list(&planned).await;
    planned.owner.run("UPDATE integration_flow SET capacity = 20").await;
    let cut = list(&planned).await;

    assert_eq!((all.fields.len(), all.hint.as_str()), (32, ""));
    assert_eq!((cut.fields.len(), cut.hint.as_str()), (12, "LIMIT_REACHED"));
}

#[tokio::test]
async fn a_hundred_and_more_fields_are_all_paged_through() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    for nth in 0..130 {
        planned.asana.add_text_field(planned.workspace, &format!("Feld {nth:03}"));
    }
    planned.select(planned.workspace).await.unwrap();

    let mut names = Vec::new();
    let mut request =
        proto::ListCustomFieldsRequest { integration_id: planned.id(), page_size: 50, ..Default::default() };
    loop {
        let page = planned.admin.onboarding().list_custom_fields(request.clone()).await.unwrap().into_inner();
        names.extend(page.fields.into_iter().map(|field| field.name));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }

    assert_eq!(names.len(), 132);
    assert_eq!(&names[..3], ["Bereich", "Soll-Stunden", "Feld 000"]);
}

#[tokio::test]
async fn a_workspace_without_an_enum_field_gets_a_hint() {
    let app = planned::app().without_worker().start().await;
    let (tenant, double) = (app.tenant("acme").await, planned::double().await);
    let workspace = double.add_workspace("Planungsbüro am Wall");
    let user = double.add_user(workspace, "Erika Muster", None);
    let elsewhere = double.add_workspace("Anderswo");
    let area = double.add_enum_field(elsewhere, "Bereich", &["Produktion"]);
    let hours = double.add_number_field(elsewhere, "Soll-Stunden", 2);
    let planned = Planned::of(&app, &tenant, &double, (workspace, user), (area, hours)).await;
    planned.select(workspace).await.unwrap();

    let nothing = list(&planned).await.hint;
    double.add_number_field(workspace, "Stunden", 1);
    let no_enum = list(&planned).await.hint;
    double.add_enum_field(workspace, "Ampel", &["rot", "grün"]);
    let no_area = list(&planned).await.hint;

    assert_eq!([nothing, no_enum, no_area], ["NO_CUSTOM_FIELDS", "NO_ENUM_FIELD", "NO_AREA_SUGGESTED"]);
}

#[tokio::test]
async fn the_area_is_mandatory_and_a_wrong_type_is_refused_by_its_field() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    let duration = Kind::Number { precision: 0, format: Format::Duration };
    let duration = planned.asana.add_field(planned.workspace, "Dauer", true, |_| duration, &[]);
    planned.select(planned.workspace).await.unwrap();
    let mapping = planned.mapping();

    let without_area =
        planned.map(FieldMapping { area_field_gid: String::new(), ..mapping.clone() }).await.unwrap_err();
    let swapped = FieldMapping {
        area_field_gid: mapping.hours_field_gid.clone(),
        options: Vec::new(),
        ..mapping.clone()
    };
    let swapped = planned.map(swapped).await.unwrap_err();
    let minutes = FieldMapping { hours_field_gid: duration.gid.to_string(), ..mapping.clone() };
    let minutes = planned.map(minutes).await.unwrap_err();
    let nothing_mapped = planned.map(FieldMapping { options: Vec::new(), ..mapping }).await.unwrap_err();

    assert_eq!(fields(&without_area), ["field_mapping.area_field_gid"]);
    assert_eq!(fields(&swapped), ["field_mapping.area_field_gid", "field_mapping.options"]);
    assert_eq!(fields(&minutes), ["field_mapping.hours_field_gid"]);
    assert_eq!(fields(&nothing_mapped), ["field_mapping.options"]);
    assert!(planned.onboarding().await.field_mapping.is_none());
}

#[tokio::test]
async fn a_saved_mapping_is_shown_and_saving_it_again_changes_nothing() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    planned.map(planned.mapping()).await.unwrap();
    let first = planned.onboarding().await.field_mapping.unwrap();

    let again = planned.map(planned.mapping()).await.unwrap();

    let saved = again.field_mapping.unwrap();
    assert_eq!(saved, first);
    assert_eq!((saved.hours_field_name.as_str(), saved.hours_precision), ("Soll-Stunden", 2));
    let mut options: Vec<_> = saved.options.iter().map(|one| (one.name.as_str(), one.area())).collect();
    options.sort();
    assert_eq!(
        options,
        [("Montage", Area::Assembly), ("Produktion", Area::Production), ("Verwaltung", Area::Unspecified)]
    );
    let listed = list(&planned).await;
    assert_eq!(named(&listed.fields, "Bereich").mapped_role(), CustomFieldRole::Area);
    assert_eq!(named(&listed.fields, "Bereich").options[1].mapped_area(), Area::Assembly);
}

#[tokio::test]
async fn another_mapping_asks_for_the_initial_sync_again() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    let only_one = OptionMapping {
        option_gid: planned.option(0).to_string(),
        area: Area::Assembly.into(),
        ..Default::default()
    };

    let changed = planned.map(FieldMapping { options: vec![only_one], ..planned.mapping() }).await.unwrap();

    assert_eq!(changed.next_step(), OnboardingStep::InitialSync);
    assert_eq!(changed.reason, "MAPPING_CHANGED");
}

#[tokio::test]
async fn a_preview_shows_on_real_tasks_what_a_mapping_would_lose() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    let project = planned.add_project("Wohnhaus am Wall");
    let bare = planned.asana.add_project(planned.workspace, "Ohne Felder", &[]);
    planned.add_task(project, "Dachstuhl", Some(planned.option(0)), 12.5.into());
    planned.add_task(project, "Ablage", Some(planned.option(2)), 3.into());
    planned.add_task(project, "Offen", None, Value::Null);
    planned
        .asana
        .add_task(
            project,
            json!({ "name": "Abnahme", "resource_subtype": "milestone", "due_on": "2027-03-09" }),
        )
        .unwrap();
    planned.asana.add_task(bare, json!({ "name": "Sonstiges", "due_on": "2027-03-09" })).unwrap();
    planned.select(planned.workspace).await.unwrap();

    let preview = preview(&planned, Some(planned.mapping())).await;

    let of = |name: &str| preview.phases.iter().find(|one| one.name == name).unwrap();
    let whole = of("Dachstuhl");
    assert_eq!((whole.area(), whole.planned_hours.as_str()), (Area::Production, "12.5"));
    assert_eq!((whole.start_date.as_str(), whole.due_date.as_str()), ("2027-03-01", "2027-03-05"));
    assert_eq!(whole.losses, [""; 0]);
    assert_eq!(of("Ablage").losses, ["OPTION_IGNORED"]);
    assert_eq!(of("Offen").losses, ["AREA_EMPTY", "HOURS_EMPTY"]);
    assert!(of("Abnahme").is_left_out && of("Abnahme").losses.contains(&"MILESTONE".to_string()));
    assert!(of("Sonstiges").is_left_out);
    assert_eq!(of("Sonstiges").losses, ["AREA_FIELD_NOT_IN_PROJECT", "HOURS_FIELD_NOT_IN_PROJECT"]);
    let ignored = preview.losses.iter().find(|loss| loss.code == "OPTION_IGNORED").unwrap();
    assert_eq!((ignored.task_count, ignored.option_name.as_str()), (1, "Verwaltung"));
    assert!(planned.onboarding().await.field_mapping.is_none(), "nothing was kept");
}

#[tokio::test]
async fn a_preview_without_a_mapping_takes_the_saved_one() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    let project = planned.add_project("Wohnhaus am Wall");
    planned.add_task(project, "Dachstuhl", Some(planned.option(1)), 8.into());
    planned.select(planned.workspace).await.unwrap();
    planned.map(planned.mapping()).await.unwrap();

    let preview = preview(&planned, None).await;

    assert_eq!(preview.phases[0].area(), Area::Assembly);
}

#[tokio::test]
async fn a_free_workspace_is_told_that_custom_fields_cost() {
    let app = planned::app().without_worker().start().await;
    let tenant = app.tenant("acme").await;
    let settings = stellwerk::sandbox::asana::Settings {
        plan: stellwerk::sandbox::asana::Plan::Free,
        limits: stellwerk::sandbox::asana::Limits::none(),
        ..Default::default()
    };
    let double = stellwerk::sandbox::asana::Asana::start(settings).await.unwrap();
    let planned = Planned::new(&app, &tenant, &double).await;
    planned.select(planned.workspace).await.unwrap();
    let request = proto::ListCustomFieldsRequest { integration_id: planned.id(), ..Default::default() };

    let refused = planned.admin.onboarding().list_custom_fields(request).await.unwrap_err();

    assert_eq!(reason(&refused), "PROVIDER_REFUSED");
}

/// Whoever gave up would have to ask for everything again, and find the budget as empty.
#[tokio::test]
async fn fields_of_many_projects_are_listed_though_requests_are_allowed_one_at_a_time() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    let own = planned.asana.add_text_field(planned.workspace, "Polier");
    (0..5).for_each(|number| {
        planned.asana.add_project(planned.workspace, &format!("Haus {number}"), &[own.gid]);
    });
    planned.select(planned.workspace).await.unwrap();
    planned.budget(1, 4.0).await;

    let found = list(&planned).await;

    assert_eq!(named(&found.fields, "Polier").project_count, 5);
}
