//! Which containerd of a machine a call means.

use std::fmt::Display;

use super::proto::common::{ContainerDriver, ContainerdInstance, ContainerdNamespace};
use crate::domain::{Error, Result};

/// Checks that a call means a containerd that Talos has. There is one store for all of them. A call that leaves the
/// instance out means containerd's unknown namespace, which is none.
///
/// # Errors
/// `InvalidArgument` with Talos' words, for a driver or a namespace that Talos does not have.
pub fn check(instance: Option<&ContainerdInstance>) -> Result<()> {
    let (driver, namespace) = instance.map(|instance| (instance.driver, instance.namespace)).unwrap_or_default();
    if ContainerDriver::try_from(driver).is_err() {
        return Err(invalid("driver", driver));
    }
    match ContainerdNamespace::try_from(namespace) {
        Ok(ContainerdNamespace::NsSystem | ContainerdNamespace::NsCri | ContainerdNamespace::NsTaloscontainers) => {
            Ok(())
        }
        Ok(unknown @ ContainerdNamespace::NsUnknown) => Err(invalid("namespace", unknown.as_str_name())),
        Err(_) => Err(invalid("namespace", namespace)),
    }
}

fn invalid(what: &str, value: impl Display) -> Error {
    Error::invalid(format!("invalid containerd {what} {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_drivers_and_every_namespace_mean_the_one_store() {
        for driver in [0, 1] {
            for namespace in [1, 2, 3] {
                assert!(check(Some(&ContainerdInstance { driver, namespace })).is_ok(), "{driver} {namespace}");
            }
        }
    }

    #[test]
    fn what_talos_does_not_have_is_refused_in_its_words() {
        let text = |instance: Option<&ContainerdInstance>| check(instance).unwrap_err().public().to_owned();
        let of = |driver, namespace| text(Some(&ContainerdInstance { driver, namespace }));
        assert_eq!(text(None), "invalid containerd namespace NS_UNKNOWN");
        assert_eq!(of(1, 0), "invalid containerd namespace NS_UNKNOWN");
        assert_eq!(of(1, 9), "invalid containerd namespace 9");
        assert_eq!(of(7, 0), "invalid containerd driver 7");
        assert_eq!(of(-1, 2), "invalid containerd driver -1");
    }
}
