//! Which scope an operation needs; `None` for those that only full permissions cover.

use crate::sandbox::asana::api::Operation;

pub(super) fn needed(operation: Operation) -> Option<&'static str> {
    Some(match operation {
        Operation::ListWorkspaces | Operation::GetWorkspace => "workspaces:read",
        Operation::ListWorkspaceUsers
        | Operation::GetWorkspaceUser
        | Operation::ListUsers
        | Operation::GetUser => "users:read",
        Operation::ListTeams | Operation::GetTeam => "teams:read",
        Operation::ListWorkspaceProjects
        | Operation::ListTeamProjects
        | Operation::ListProjects
        | Operation::GetProject
        | Operation::CountTasks
        | Operation::ListTaskProjects
        | Operation::ListFieldSettings => "projects:read",
        Operation::CreateWorkspaceProject
        | Operation::CreateProject
        | Operation::UpdateProject
        | Operation::AddFieldSetting
        | Operation::RemoveFieldSetting => "projects:write",
        Operation::ListWorkspaceFields | Operation::GetField => "custom_fields:read",
        Operation::UpdateField | Operation::CreateOption | Operation::UpdateOption => "custom_fields:write",
        Operation::SearchTasks
        | Operation::ListProjectTasks
        | Operation::ListSectionTasks
        | Operation::ListTasks
        | Operation::GetTask
        | Operation::ListSubtasks => "tasks:read",
        Operation::AddTaskToSection
        | Operation::CreateTask
        | Operation::UpdateTask
        | Operation::CreateSubtask
        | Operation::AddTaskToProject
        | Operation::RemoveTaskFromProject => "tasks:write",
        Operation::DeleteTask => "tasks:delete",
        Operation::ListTaskTimeEntries | Operation::ListTimeEntries | Operation::GetTimeEntry => {
            "time_tracking_entries:read"
        }
        Operation::ListAbsences | Operation::GetAbsence => "ooo_entries:read",
        Operation::CreateAbsence | Operation::UpdateAbsence => "ooo_entries:write",
        Operation::DeleteAbsence => "ooo_entries:delete",
        Operation::ListWebhooks | Operation::GetWebhook => "webhooks:read",
        Operation::CreateWebhook | Operation::UpdateWebhook => "webhooks:write",
        Operation::DeleteWebhook => "webhooks:delete",
        Operation::ListWorkspaceMembers
        | Operation::GetWorkspaceMember
        | Operation::GetWorkspaceEvents
        | Operation::GetEvents
        | Operation::ListSections
        | Operation::CreateSection
        | Operation::GetSection
        | Operation::CreateTimeEntry
        | Operation::UpdateTimeEntry
        | Operation::DeleteTimeEntry
        | Operation::Batch
        | Operation::Authorize
        | Operation::Token
        | Operation::Revoke => return None,
    })
}
