//! Custom fields and where they are used.

use std::sync::Arc;

use serde_json::Value;

use super::call::{Answer, Answered, Call};
use super::operation::Operation;
use super::people::next;
use crate::sandbox::asana::event::{Action, Change, Noun, Ref};
use crate::sandbox::asana::field::{CustomField, Kind};
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::project::FieldSetting;
use crate::sandbox::asana::refusal::Refusal;
use crate::sandbox::asana::settings::Plan;
use crate::sandbox::asana::show::show_option;
use crate::sandbox::asana::world::World;

pub(super) fn answer(inner: &Arc<Inner>, call: &Call) -> Answered {
    if inner.settings.plan == Plan::Free {
        return Err(Refusal::payment());
    }
    let (first, user) = (call.argument(0), call.user());
    match call.operation {
        Operation::ListWorkspaceFields => {
            let world = inner.world();
            let workspace = world.workspace_of(first, user)?.gid;
            let fields = |world: &World, after, look| {
                let of_it = world.fields.range(next(after)..);
                let shared = of_it.filter(|(_, one)| one.workspace == workspace && one.is_global);
                Ok(shared.map(|(gid, _)| *gid).take(look).collect())
            };
            call.list(&world, inner, fields, World::show_field_gid)
        }
        Operation::ListFieldSettings => {
            let world = inner.world();
            let project = world.project_of(first, user)?;
            let settings = |_: &World, after, look| {
                let gids = project.settings.iter().map(|one| one.gid);
                Ok(gids.filter(|gid| *gid > after).take(look).collect())
            };
            call.list(&world, inner, settings, |world, gid, shape| {
                let setting = project.settings.iter().find(|one| one.gid == gid);
                setting.map_or(Value::Null, |one| world.show_setting(project.gid, *one, shape))
            })
        }
        Operation::AddFieldSetting => {
            let project = inner.world().project_of(first, user)?.gid;
            let text = call.required_text("custom_field")?;
            let field = field_of(&inner.world(), text)?.gid;
            let setting = inner.change(|world, now| world.attach_field(project, field, Some(user), now))?;
            Ok(call.one(|shape| inner.world().show_setting(project, setting, shape)))
        }
        Operation::RemoveFieldSetting => {
            let project = inner.world().project_of(first, user)?.gid;
            let text = call.required_text("custom_field")?;
            let field = field_of(&inner.world(), text)?.gid;
            inner.change(|world, now| world.detach_field(project, field, Some(user), now))?;
            Ok(Answer::nothing())
        }
        Operation::UpdateField => {
            let gid = field_of(&inner.world(), first)?.gid;
            call.check_keys(&["name", "description"])?;
            let (name, description) = (call.text("name")?, call.text("description")?);
            if let Some(field) = inner.world_mut().fields.get_mut(&gid) {
                name.unwrap_or(&field.name.clone()).clone_into(&mut field.name);
                description.unwrap_or(&field.description.clone()).clone_into(&mut field.description);
            }
            Ok(call.one(|shape| inner.world().show_field_gid(gid, shape)))
        }
        Operation::CreateOption => create_option(inner, call),
        Operation::UpdateOption => update_option(inner, call),
        _ => {
            let world = inner.world();
            let field = field_of(&world, first)?;
            Ok(call.one(|shape| world.show_field(field, shape)))
        }
    }
}

fn field_of<'w>(world: &'w World, text: &str) -> Result<&'w CustomField, Refusal> {
    let found = text.parse().ok().and_then(|gid| world.fields.get(&gid));
    found.ok_or_else(|| Refusal::unknown("custom_field", text))
}

fn create_option(inner: &Inner, call: &Call) -> Answered {
    let gid = field_of(&inner.world(), call.argument(0))?.gid;
    let name = call.required_text("name")?;
    let mut world = inner.world_mut();
    let made = world.options_of(&[name]);
    let Some(Kind::Enum(options) | Kind::MultiEnum(options)) =
        world.fields.get_mut(&gid).map(|field| &mut field.kind)
    else {
        return Err(Refusal::bad("custom_field: Has no options"));
    };
    options.extend(made.clone());
    Ok(Answer::created(made.first().map_or(Value::Null, |option| show_option(option, &call.shape()))))
}

fn update_option(inner: &Inner, call: &Call) -> Answered {
    call.check_keys(&["name", "enabled"])?;
    let (name, enabled) = (call.text("name")?, call.data.get("enabled").and_then(Value::as_bool));
    let mut world = inner.world_mut();
    let options = world.fields.values_mut().flat_map(|field| match &mut field.kind {
        Kind::Enum(options) | Kind::MultiEnum(options) => options.as_mut_slice(),
        _ => &mut [],
    });
    let unknown = || Refusal::unknown("enum_option", call.argument(0));
    let mut options = options;
    let option = options.find(|option| option.gid.to_string() == call.argument(0)).ok_or_else(unknown)?;
    name.unwrap_or(&option.name.clone()).clone_into(&mut option.name);
    option.is_enabled = enabled.unwrap_or(option.is_enabled);
    Ok(Answer::ok(show_option(option, &call.shape())))
}

impl World {
    /// Gives a project's tasks a field; told.
    pub(crate) fn attach_field(
        &mut self,
        project: Gid,
        field: Gid,
        by: Option<Gid>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<FieldSetting, Refusal> {
        let gid = self.next();
        let home = self
            .projects
            .get_mut(&project)
            .ok_or_else(|| Refusal::unknown("project", &project.to_string()))?;
        if let Some(has) = home.settings.iter().find(|one| one.field == field) {
            return Ok(*has);
        }
        let setting = FieldSetting { gid, field };
        home.settings.push(setting);
        self.tell_fields((project, field), Action::Added, by, now);
        Ok(setting)
    }

    /// Takes a field away from a project's tasks; what they had in it they keep, to look at. Told.
    pub(crate) fn detach_field(
        &mut self,
        project: Gid,
        field: Gid,
        by: Option<Gid>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), Refusal> {
        let home = self
            .projects
            .get_mut(&project)
            .ok_or_else(|| Refusal::unknown("project", &project.to_string()))?;
        home.settings.retain(|one| one.field != field);
        self.tell_fields((project, field), Action::Removed, by, now);
        Ok(())
    }

    fn tell_fields(
        &mut self,
        (project, field): (Gid, Gid),
        action: Action,
        by: Option<Gid>,
        now: chrono::DateTime<chrono::Utc>,
    ) {
        let what = Ref { gid: project, noun: Noun::Project, subtype: None };
        let new_value = Some(Ref { gid: field, noun: Noun::CustomField, subtype: None });
        let change = Change { field: "custom_field_settings", action, new_value };
        let within = self.around_project(project);
        self.tell_change(by, what, change, &within, now);
    }
}
