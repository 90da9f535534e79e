//! `[machines]`: what fits together.

use crate::model::{NameError, Provider};
use crate::spec::MachinesSpec;
use crate::spec::error::Problem;
use crate::spec::raw::RawMachines;

pub(super) fn machines(raw: &RawMachines) -> Result<MachinesSpec, Problem> {
    let provider = match &raw.provider {
        None => Provider::default(),
        Some(given) => given
            .get_ref()
            .0
            .parse()
            .map_err(|error: NameError| Problem::at(given.span(), error.to_string()))?,
    };
    if let Some(size) = raw.size.as_ref().filter(|_| !provider.is_elastic()) {
        let what = format!("has no meaning with {provider}, which makes no machines: leave it out");
        return Err(Problem::at(size.span(), what));
    }
    if let Some(playbook) = &raw.playbook {
        let what = "needs a later version: leave it out, and run it yourself with the inventory \
                    that `toehold inventory` tells";
        return Err(Problem::at(playbook.span(), what));
    }
    let size = raw.size.as_ref().map(|it| it.get_ref().0.clone());
    Ok(MachinesSpec { provider, size, playbook: None })
}
