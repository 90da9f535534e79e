//! What a route needs, and who may.

use toehold_core::model::AppName;

use crate::secret::{Apps, Principal, Scope};

/// What somebody needs to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the way in itself, what everyone may have, and what carries a proof of its own.
    Nothing,
    /// To be known.
    Known,
    /// To be on the machine itself, as who owns the state folder.
    Owner,
    /// `admin`.
    Admin,
    /// `read`.
    LookAtAll,
    /// `read`, or a right to change something of the app in the path.
    Look,
    /// `deploy:APP`.
    Deploy,
    /// `flag:APP`.
    Flag,
    /// `deploy` of some app; the handler says of which.
    SomeDeploy,
    /// `alert` of some app; the handler says of which.
    SomeAlert,
    /// `flag` of some app; the handler says of which.
    SomeFlag,
    /// `evaluate` of some app; the handler says of which.
    SomeEvaluate,
}

impl Need {
    /// The scope, as a token has it.
    #[must_use]
    pub fn in_words(self, app: Option<&AppName>) -> String {
        let app = app.map_or("APP", AppName::as_str);
        match self {
            Self::Nothing | Self::Known => "any".to_owned(),
            Self::Owner | Self::Admin => "admin".to_owned(),
            Self::LookAtAll | Self::Look => "read".to_owned(),
            Self::Deploy | Self::SomeDeploy => format!("deploy:{app}"),
            Self::SomeAlert => format!("alert:{app}"),
            Self::Flag | Self::SomeFlag => format!("flag:{app}"),
            Self::SomeEvaluate => format!("evaluate:{app}"),
        }
    }
    /// Whether somebody with these rights may, about `app`.
    pub(crate) fn is_met(self, who: &Principal, app: Option<&AppName>) -> bool {
        let one = || app.map(|app| Apps::One(app.clone()));
        let may = |scope: fn(Apps) -> Scope| one().is_some_and(|app| who.may(&scope(app)));
        let some =
            |of: fn(&Scope) -> bool| who.scopes.iter().any(|it| *it == Scope::Admin || of(it));
        match self {
            Self::Nothing | Self::Known => true,
            // The socket's own door is checked before rights are.
            Self::Owner | Self::Admin => who.may(&Scope::Admin),
            Self::LookAtAll => who.may(&Scope::Read),
            // Who may change something may see what they change.
            Self::Look => who.may(&Scope::Read) || may(Scope::Deploy) || may(Scope::Flag),
            Self::Deploy => may(Scope::Deploy),
            Self::Flag => may(Scope::Flag),
            Self::SomeDeploy => some(|scope| matches!(scope, Scope::Deploy(_))),
            Self::SomeAlert => some(|scope| matches!(scope, Scope::Alert(_) | Scope::Deploy(_))),
            Self::SomeFlag => some(|scope| matches!(scope, Scope::Flag(_))),
            Self::SomeEvaluate => {
                some(|scope| matches!(scope, Scope::Evaluate(_) | Scope::Flag(_)))
            }
        }
    }
}

/// Who it speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Programs: JSON, and problems as `application/problem+json`.
    Json,
    /// People: HTML, and problems as a page or the way to log in.
    Page,
    /// Clients of Jenkins: its own JSON, and a token as the password of a user.
    Jenkins,
    /// Git: a token comes as a password, and problems go as text.
    Git,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_no_larger_than_it_says() {
        let shop: AppName = "shop".parse().expect("a name");
        let blog: AppName = "blog".parse().expect("a name");
        let who = |scope: &str| Principal {
            name: "ci".into(),
            scopes: vec![scope.parse().expect("a scope")],
            token: None,
        };
        for (scope, need, app, met) in [
            ("read", Need::Look, &shop, true),
            ("read", Need::Deploy, &shop, false),
            ("deploy:shop", Need::Deploy, &shop, true),
            ("deploy:shop", Need::Deploy, &blog, false),
            ("deploy:shop", Need::Look, &shop, true),
            ("deploy:shop", Need::Look, &blog, false),
            ("deploy:shop", Need::LookAtAll, &shop, false),
            ("deploy:shop", Need::Flag, &shop, false),
            ("evaluate:shop", Need::Look, &shop, false),
            ("evaluate:shop", Need::SomeEvaluate, &shop, true),
            ("alert:shop", Need::SomeAlert, &shop, true),
            ("alert:shop", Need::Deploy, &shop, false),
            ("alert:shop", Need::Look, &shop, false),
            ("flag:shop", Need::SomeAlert, &shop, false),
            ("flag:shop", Need::Flag, &shop, true),
            ("read", Need::Admin, &shop, false),
            ("admin", Need::Admin, &shop, true),
        ] {
            assert_eq!(need.is_met(&who(scope), Some(app)), met, "{scope} for {need:?} of {app}");
        }
    }
}
