use super::*;

const SMALL: &str = r#"
name = "small"
title = { vi = "Nhỏ", en = "Small" }
purpose = { vi = "Thử", en = "Tests" }
legal_basis = { vi = "Không", en = "None" }
required = ["number"]
[fields]
number = ["dg13", "dg1"]
birth = ["dg13"]
[checks]
genuine = "refuse"
complete = "warn"
[retention]
days = 0
[output.body]
so = "{number}"
sinh = { ngay = "{birth:dd/MM/yyyy}", tuoi = "{age}" }
"#;

/// The small profile with something else in one place.
fn changed(from: &str, to: &str) -> Result<ConsumerProfile, ConsumerProfileError> {
    assert!(SMALL.contains(from), "{from}");
    ConsumerProfile::parse(&SMALL.replacen(from, to, 1))
}

#[test]
fn every_shipped_profile_loads_under_its_own_name() {
    let mut names = Vec::new();
    for file in SHIPPED.files() {
        let profile = ConsumerProfile::parse(file.contents_utf8().unwrap())
            .unwrap_or_else(|error| panic!("{:?}: {error}", file.path()));
        assert_eq!(file.path().to_str().unwrap(), format!("{}.toml", profile.name));
        names.push(profile.name);
    }
    names.sort();
    assert_eq!(
        names,
        [
            "clinic",
            "clinic-kiosk",
            "coach-manifest",
            "driving-test",
            "entry-control",
            "exam",
            "lending",
            "lodging",
            "notary",
            "one-stop-kiosk",
            "regulated-business",
            "school",
            "ticketing",
        ]
    );
    assert_eq!(ConsumerCatalogue::shipped().all().count(), names.len());
}

#[test]
fn only_the_groups_that_fields_need_are_named() {
    let small = ConsumerProfile::parse(SMALL).unwrap();
    assert_eq!(small.groups(), BTreeSet::from([FileId::DG1, FileId::DG13]));
    let catalogue = ConsumerCatalogue::shipped();
    let groups = |name: &str| catalogue.find(name).unwrap().groups();
    assert_eq!(groups("ticketing"), BTreeSet::from([FileId::DG1]));
    assert!(groups("notary").contains(&FileId::DG2));
    for profile in catalogue.all() {
        let takes_face = profile.fields.contains_key(&Datum::Portrait);
        assert_eq!(profile.groups().contains(&FileId::DG2), takes_face, "{}", profile.name);
    }
}

#[test]
fn mistakes_name_their_place() {
    for (from, to, told) in [
        ("name = \"small\"", "name = \"Small one\"", "small letters"),
        ("name = \"small\"", "name = \"small\"\nsecret = 1", "unknown field `secret`"),
        ("vi = \"Thử\"", "vi = \" \"", "purpose is empty"),
        ("birth = [\"dg13\"]", "birth = []", "fields.birth names no source"),
        ("birth = [\"dg13\"]", "birth = [\"dg2\"]", "dg2 is no source of it"),
        ("birth = [\"dg13\"]", "birth = [\"dg13\", \"dg13\"]", "twice"),
        ("birth = [\"dg13\"]", "birth = [\"dg13\"]\nsalary = [\"dg13\"]", "unknown variant `salary`"),
        (
            "birth = [\"dg13\"]",
            "birth = [\"dg13\"]\nname = [\"dg13\"]",
            "fields.name is taken, and stands in no",
        ),
        ("birth = [\"dg13\"]", "birth = [\"dg13\"]\nfather = [\"dg13\"]", "touches.family is not true"),
        ("birth = [\"dg13\"]", "birth = [\"dg13\"]\nreligion = [\"dg13\"]", "touches.sensitive is not true"),
        ("birth = [\"dg13\"]", "birth = [\"dg13\"]\nportrait = [\"dg2\"]", "touches.portrait is not true"),
        ("[retention]", "[touches]\nfamily = true\n[retention]", "touches.family is true"),
        ("required = [\"number\"]", "required = [\"name\"]", "required names name"),
        ("required = [\"number\"]", "", "checks.complete"),
        ("genuine = \"refuse\"", "", "`genuine` or `nothing-failed`"),
        ("genuine = \"refuse\"", "genuine = \"refuse\"\nin-force = \"warn\"", "needs the field expiry"),
        ("genuine = \"refuse\"", "genuine = \"ignore\"", "unknown variant `ignore`"),
        ("days = 0", "days = -1", "days"),
        ("{number}", "{name}", "output.body.so: name needs the field name"),
        ("{number}", "{token}", "output.body.so: there is no [token]"),
        ("{number}", "{numbr}", "output.body.so: {numbr}: no such value"),
        ("dd/MM/yyyy", "dd/MM/jjjj", "output.body.sinh.ngay"),
        ("so = ", "so = 1.5\nx = ", "output.body.so: a text, a whole number"),
        ("so = ", "so = {}\nx = ", "output.body.so: empty"),
        (
            "[retention]",
            "[token]\nkey_file = 'k'\ncontext = 'bus'\n[retention]",
            "[token] is used by no output",
        ),
        ("[retention]", "[maps.codes]\n[retention]", "maps.codes: it is empty"),
        (
            "[retention]",
            "[[bands.fare]]\nfrom = 6\nis = 'a'\n[[bands.fare]]\nfrom = 6\nis = 'b'\n[retention]",
            "bands.fare: each begins above",
        ),
    ] {
        let message = changed(from, to).unwrap_err().to_string();
        assert!(message.contains(told), "{to}: {message}");
    }
}

#[test]
fn objects_in_objects_have_an_end() {
    let mut deep = "so = ".to_owned();
    deep += &"{ a = ".repeat(12);
    deep += "1";
    deep += &" }".repeat(12);
    let message =
        changed("so = \"{number}\"", &format!("{deep}\nx = \"{{number}}\"")).unwrap_err().to_string();
    assert!(message.contains("more than 8"), "{message}");
}

#[test]
fn the_schema_for_editors_is_the_committed_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/profile.schema.json");
    let schema = ConsumerProfile::json_schema();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(committed, schema, "UPDATE=1 writes docs/profile.schema.json anew");
    assert!(schema.contains("\"additionalProperties\": false"));
}
