//! The routes of the API that the double has.

use std::fmt;

use http::Method;
use serde::{Deserialize, Serialize};

macro_rules! operations {
    ($($name:ident $method:ident $path:literal,)*) => {
        /// What a request asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Operation { $($name,)* }

        const ROUTES: &[(Method, &str, Operation)] = &[$((Method::$method, $path, Operation::$name),)*];

        impl Operation {
            pub(crate) const ALL: [Self; ROUTES.len()] = [$(Self::$name,)*];

            /// Method and path, as `GET /tasks/{}`.
            pub fn route(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => (stringify!($method), $path),)* }
            }
        }
    };
}

operations! {
    ListWorkspaces GET "/workspaces",
    GetWorkspace GET "/workspaces/{}",
    ListWorkspaceUsers GET "/workspaces/{}/users",
    GetWorkspaceUser GET "/workspaces/{}/users/{}",
    ListWorkspaceProjects GET "/workspaces/{}/projects",
    CreateWorkspaceProject POST "/workspaces/{}/projects",
    ListWorkspaceFields GET "/workspaces/{}/custom_fields",
    ListTeams GET "/workspaces/{}/teams",
    ListWorkspaceMembers GET "/workspaces/{}/workspace_memberships",
    GetWorkspaceMember GET "/workspace_memberships/{}",
    SearchTasks GET "/workspaces/{}/tasks/search",
    GetWorkspaceEvents GET "/workspaces/{}/events",
    ListUsers GET "/users",
    GetUser GET "/users/{}",
    GetTeam GET "/teams/{}",
    ListTeamProjects GET "/teams/{}/projects",
    ListProjects GET "/projects",
    CreateProject POST "/projects",
    GetProject GET "/projects/{}",
    UpdateProject PUT "/projects/{}",
    ListFieldSettings GET "/projects/{}/custom_field_settings",
    AddFieldSetting POST "/projects/{}/addCustomFieldSetting",
    RemoveFieldSetting POST "/projects/{}/removeCustomFieldSetting",
    ListSections GET "/projects/{}/sections",
    CreateSection POST "/projects/{}/sections",
    ListProjectTasks GET "/projects/{}/tasks",
    CountTasks GET "/projects/{}/task_counts",
    GetSection GET "/sections/{}",
    ListSectionTasks GET "/sections/{}/tasks",
    AddTaskToSection POST "/sections/{}/addTask",
    ListTasks GET "/tasks",
    CreateTask POST "/tasks",
    GetTask GET "/tasks/{}",
    UpdateTask PUT "/tasks/{}",
    DeleteTask DELETE "/tasks/{}",
    ListTaskProjects GET "/tasks/{}/projects",
    ListSubtasks GET "/tasks/{}/subtasks",
    CreateSubtask POST "/tasks/{}/subtasks",
    AddTaskToProject POST "/tasks/{}/addProject",
    RemoveTaskFromProject POST "/tasks/{}/removeProject",
    ListTaskTimeEntries GET "/tasks/{}/time_tracking_entries",
    CreateTimeEntry POST "/tasks/{}/time_tracking_entries",
    ListTimeEntries GET "/time_tracking_entries",
    GetTimeEntry GET "/time_tracking_entries/{}",
    UpdateTimeEntry PUT "/time_tracking_entries/{}",
    DeleteTimeEntry DELETE "/time_tracking_entries/{}",
    GetField GET "/custom_fields/{}",
    UpdateField PUT "/custom_fields/{}",
    CreateOption POST "/custom_fields/{}/enum_options",
    UpdateOption PUT "/enum_options/{}",
    ListAbsences GET "/ooo_entries",
    CreateAbsence POST "/ooo_entries",
    GetAbsence GET "/ooo_entries/{}",
    UpdateAbsence PUT "/ooo_entries/{}",
    DeleteAbsence DELETE "/ooo_entries/{}",
    GetEvents GET "/events",
    ListWebhooks GET "/webhooks",
    CreateWebhook POST "/webhooks",
    GetWebhook GET "/webhooks/{}",
    UpdateWebhook PUT "/webhooks/{}",
    DeleteWebhook DELETE "/webhooks/{}",
    Batch POST "/batch",
    Authorize GET "/-/oauth_authorize",
    Token POST "/-/oauth_token",
    Revoke POST "/-/oauth_revoke",
}

impl Operation {
    /// What a path below `/api/1.0` means, with what stands in for the braces; the wrong method is no route
    /// either.
    pub(crate) fn of(method: &Method, path: &str) -> Option<(Self, Vec<String>)> {
        let found: Vec<&str> = path.trim_matches('/').split('/').collect();
        let mut of_api =
            ROUTES.iter().filter(|(one, template, _)| one == method && !template.starts_with("/-/"));
        of_api.find_map(|(_, template, operation)| {
            let wanted: Vec<&str> = template.trim_matches('/').split('/').collect();
            let fits = |(wanted, found): (&&str, &&str)| *wanted == "{}" || wanted == found;
            (wanted.len() == found.len() && wanted.iter().zip(&found).all(fits)).then(|| {
                let of_braces = wanted.iter().zip(&found).filter(|(wanted, _)| **wanted == "{}");
                let decoded =
                    |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
                (*operation, of_braces.map(|(_, found)| decoded(found)).collect())
            })
        })
    }

    pub fn is_change(self) -> bool {
        self.route().0 != "GET"
    }

    pub(crate) fn is_list(self) -> bool {
        let (method, path) = self.route();
        method == "GET" && !path.ends_with("{}") && !matches!(self, Self::CountTasks | Self::GetEvents)
    }

    /// Of the second limiter.
    pub(crate) fn is_search(self) -> bool {
        self == Self::SearchTasks
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, path) = self.route();
        write!(f, "{method} {path}")
    }
}
