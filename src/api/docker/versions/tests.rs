use super::*;

#[test]
fn every_version_has_its_record_in_order() {
    for (record, minor) in RECORDS.iter().zip((OLDEST..=NEWEST).rev()) {
        assert_eq!(record.minor, minor);
        assert!(!record.note.is_empty() && !record.note.contains('\n'), "1.{minor}");
    }
    assert_eq!(NEWEST_TEXT, format!("1.{NEWEST}"));
}

#[test]
fn shapes_change_where_the_recorded_answers_do() {
    let changes = |field: fn(&Shape) -> String| -> Vec<u8> {
        let differs = |minor: &u8| field(shape(*minor)) != field(shape(*minor - 1));
        (OLDEST + 1..=NEWEST).filter(differs).collect()
    };
    assert_eq!(changes(|shape| format!("{:?}", shape.list)), [43, 44, 48, 51, 55]);
    assert_eq!(changes(|shape| format!("{:?}", shape.detail)), [44, 45, 48, 50, 52, 53, 55]);
    assert_eq!(changes(|shape| format!("{:?}", shape.load)), [52]);
    assert_eq!(changes(|shape| format!("{:?}", shape.events)), [52]);
    assert_eq!(changes(|shape| shape.name_filter.to_string()), [25]);
}

#[test]
fn lists_that_look_alike_share_a_form() {
    assert_eq!(shape(24).list_forms[0], shape(40).list_forms[0]);
    assert_eq!(shape(51).list_forms, shape(54).list_forms);
    // Statements are seen only among manifests.
    assert_eq!(shape(54).list_forms[0], shape(55).list_forms[0]);
    assert_ne!(shape(54).list_forms[1], shape(55).list_forms[1]);
}

#[test]
fn parameters_exist_from_their_version_on() {
    assert_eq!(hidden("GET /images/{name}/json", 48), ["platform"]);
    assert_eq!(hidden("GET /images/json", 46), ["identity", "manifests"]);
    assert!(hidden("GET /images/{name}/json", NEWEST).is_empty());
}
