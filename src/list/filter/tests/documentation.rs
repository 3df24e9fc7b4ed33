//! The examples of <https://rclone.org/filtering/>, in its order.

use sterna_backends::{Entry, Key, Timestamp};

use crate::list::filter::{Filter, FilterBuilder, Reason};

fn filter(build: impl FnOnce(&mut FilterBuilder) -> &mut FilterBuilder) -> Filter {
    build(&mut FilterBuilder::new()).build().expect("a filter from the documentation")
}

fn include(pattern: &str) -> Filter {
    filter(|builder| builder.include(pattern))
}

fn rules(text: &str) -> Filter {
    filter(|builder| builder.filter_from("rules", text))
}

fn reason(build: impl FnOnce(&mut FilterBuilder) -> &mut FilterBuilder) -> Reason {
    build(&mut FilterBuilder::new()).build().expect_err("a fault").reason
}

/// Admitted by key, as a listing that walks directories and as one that does not.
#[track_caller]
fn expect(filter: &Filter, admitted: &[&str], left_out: &[&str]) {
    for key in admitted {
        assert!(filter.admits_key(key), "{key} is in");
        let above: Vec<_> = key.match_indices('/').map(|(at, _)| &key[..=at]).collect();
        assert!(above.iter().all(|directory| filter.enters(directory)), "{key} is reached");
        assert!(key.starts_with(filter.prefix()), "{key} starts with {:?}", filter.prefix());
    }
    for key in left_out {
        assert!(!filter.admits_key(key), "{key} is out");
    }
}

#[test]
fn patterns() {
    let table: &[(&str, &[&str], &[&str])] = &[
        ("file.jpg", &["file.jpg", "directory/file.jpg"], &["afile.jpg", "directory/afile.jpg"]),
        ("/file.jpg", &["file.jpg"], &["afile.jpg", "directory/file.jpg"]),
        ("potato", &["potato"], &["POTATO"]),
        ("{{start[^/]*end\\.jpg}}", &["start-end.jpg"], &["start/end.jpg", "x.jpg"]),
        ("{{start.*end\\.jpg}}", &["start-end.jpg", "start/end.jpg"], &["x.jpg"]),
        ("*.{{jpe?g}}", &["file.jpg", "file.jpeg", "dir/file.jpg"], &["file.png", "dir/file.jpeeg"]),
        ("*.{{(?i)jpg}}", &["file.jpg", "file.JPG"], &["file.png"]),
        ("*.jpg", &["file.jpg", "dir/file.jpg"], &["file.png", "dir/file.png"]),
        ("/*.jpg", &["file.jpg", "file2.jpg"], &["file.png", "dir/file.jpg"]),
        ("*.{jpg,png}", &["file.jpg", "dir/file.png"], &["file.gif", "dir/file.gif"]),
        ("dir/**", &["dir/anyfile"], &["file.png", "subdir/file.png"]),
        ("*.t?t", &["file.txt", "dir/file.tzt"], &["file.qxt", "dir/file.png"]),
        ("*.[a-z]", &["file.a", "dir/file.b"], &["file.0", "dir/file.1"]),
        ("*.\\?\\?\\?", &["file.???", "dir/file.???"], &["file.abc", "dir/file.def"]),
        ("*.\\d\\d\\d", &["file.012", "dir/file.345"], &["file.abc", "dir/file.def", "file.٠١٢"]),
        ("/{{.*\\.jpe?g}}", &["file.jpeg", "file.jpg"], &["file.png"]),
        ("{A,B}/**", &["A/a", "B/b/c"], &["C/a", "a"]),
        ("??[^[:punct:]]*", &["abc", "dir/abcd"], &["ab.", "ab"]),
    ];
    for (pattern, admitted, left_out) in table {
        expect(&include(pattern), admitted, left_out);
    }
    expect(&filter(|builder| builder.include("potato").ignore_case(true)), &["potato", "POTATO"], &["tomato"]);
    expect(&filter(|builder| builder.include("zaphod.txt").ignore_case(true)), &["Zaphod.txt"], &[]);
}

/// The table of the documentation says that `dir/**` matches `/subdir/dir/subsubdir/anyfile`. As a pattern it does, but
/// rclone derives `dir/` alone from an include, and does not look into `subdir`.
#[test]
fn an_unanchored_path_is_followed_up_only_as_far_as_it_is_written() {
    expect(&rules("- dir/**"), &["file.png"], &["dir/anyfile", "subdir/dir/subsubdir/anyfile"]);
    let include = include("dir/*.txt");
    assert!(!include.enters("subdir/"));
    assert!(!include.admits_key("subdir/dir/a.txt"));
    expect(&self::include("**/dir/*.txt"), &["subdir/dir/a.txt"], &["subdir/a.txt"]);
}

/// As rclone on a local disk: `[^a]` matches the `/` behind `b`, so what lies below is never looked at.
#[test]
fn a_directory_that_is_ruled_out_hides_what_the_rule_alone_would_let_in() {
    let filter = rules("- **[^a]");
    assert!(!filter.enters("b/"));
    expect(&filter, &["a"], &["b", "b/a"]);
}

/// `[!a]` is documented as the negation; the program takes it as two characters.
#[test]
fn only_a_caret_negates_a_class() {
    expect(&include("[!a]x"), &["!x", "ax"], &["bx"]);
    expect(&include("[^a]x"), &["!x", "bx"], &["ax"]);
}

#[test]
fn excludes() {
    expect(&filter(|builder| builder.exclude("/excl/**")), &["incl/document.pdf"], &["excl/123.jpg", "excl/456.jpg"]);
    expect(&filter(|builder| builder.exclude("*.bak")), &["a", "bak"], &["a.bak", "dir/a.bak"]);
    expect(&filter(|builder| builder.exclude("/dir/**")), &["a", "x/dir/a"], &["dir/a", "dir/b/c"]);
    expect(&filter(|builder| builder.exclude("*\\[{JP,KR,HK}\\]*")), &["a[US].x"], &["a[JP].x", "b[HK]", "[KR]"]);
    let text = "# a sample exclude rule file\n*.bak\nfile2.jpg\n";
    expect(&filter(|builder| builder.exclude_from("f", text)), &["file1.jpg"], &["a.bak", "dir/file2.jpg"]);
}

#[test]
fn includes_leave_the_rest_out() {
    expect(&include("*.{png,jpg}"), &["a.png", "d/a.jpg"], &["a.gif", "png"]);
    let text = "# a sample include rule file\r\n*.jpg\r\n\r\n; another remark\r\n  file2.avi\r\n";
    expect(&filter(|builder| builder.include_from("f", text)), &["a.jpg", "d/file2.avi"], &["file1.avi"]);
    expect(&filter(|builder| builder.include_from("f", "")), &[], &["a"]);
    let mixed = filter(|builder| builder.rule("+ *.txt").exclude("secret*").include("*.jpg"));
    expect(&mixed, &["secret.jpg", "a.txt"], &["secret.txt", "a.gif"]);
}

#[test]
fn rules_in_order() {
    let sample = "# a sample filter rule file\n- secret*.jpg\n+ *.jpg\n+ *.png\n+ file2.avi\n\
        - /dir/tmp/** # WARNING! This text will be treated as part of the path.\n- /dir/Trash/**\n+ /dir/**\n\
        # exclude everything else\n- *\n";
    expect(
        &rules(sample),
        &["file1.jpg", "file3.png", "file2.avi", "dir/tmp/a", "dir/a/b", "x/y.png", "dir/Trash.jpg"],
        &["secret17.jpg", "x/secret1.jpg", "dir/Trash/a", "other.txt", "x/other"],
    );
    expect(
        &rules("- secret*.jpg\n+ *.jpg\n+ *.png\n+ file2.avi\n- *\n"),
        &["file1.jpg", "file3.png", "file2.avi"],
        &["secret17.jpg", "file1.avi"],
    );
    expect(&rules("+ *.jpg\n+ *.gif\n!\n+ 42.doc\n- *\n"), &["42.doc"], &["a.jpg", "a.gif"]);
    expect(&rules("- *.bak"), &["a"], &["a.bak"]);
}

#[test]
fn directories() {
    let images = include("/a/*.jpg");
    assert!(images.enters("") && images.enters("a/"));
    assert!(!images.enters("b/") && !images.enters("a/b/"));
    expect(&include("/directory/"), &[], &["directory/a", "a"]);
    let pages = rules("- /dir1/\n- /dir2/\n+ *.pdf\n- **\n");
    assert!(!pages.enters("dir1/") && !pages.enters("dir2/") && pages.enters("dir3/"));
    expect(&pages, &["a.pdf", "x/a.pdf", "x/dir1/a.pdf"], &["dir1/a.pdf", "dir2/x/a.pdf", "a.txt"]);
    let opaque = include("{dir1/**,dir2/**}");
    expect(&opaque, &["dir1/a", "dir2/b/c"], &["dir3/a"]);
    assert!(opaque.enters("dir3/"));
    assert!(!include("{dir1,dir2}/**").enters("dir3/"));
}

#[test]
fn lists_of_files() {
    let listed = filter(|builder| {
        builder.files_from("f", "# comment\nsubdir/file2.jpg\nfile1.jpg\n /user1/42 \n").files_from("g", "file1.jpg")
    });
    expect(&listed, &["file1.jpg", "subdir/file2.jpg", "user1/42"], &["subdir/x", "file2.jpg", "# comment"]);
    assert!(listed.enters("subdir/") && !listed.enters("sub/") && !listed.enters("subdir/deeper/"));
    let files: Vec<_> = listed.files().expect("a list").iter().map(Key::as_str).collect();
    assert_eq!(files, ["file1.jpg", "subdir/file2.jpg", "user1/42"]);
    let raw = filter(|builder| builder.files_from_raw("f", "# name\n ; other\n"));
    expect(&raw, &["# name", " ; other"], &["; other"]);
    expect(&filter(|builder| builder.files_from("f", "")), &[], &["a"]);
    assert_eq!(filter(|builder| builder.files_from("f", "repo/a\nrepo/b")).prefix(), "repo/");
    assert_eq!(reason(|builder| builder.files_from("f", "a").exclude("b")), Reason::FilesFromWithOthers);
}

#[test]
fn sizes_times_and_depths() {
    let entry = |size, seconds: Option<i64>| Entry {
        size,
        modified: seconds.map(|seconds| Timestamp::from_parts(seconds, 0)),
        ..Entry::object(Key::new("a/b").expect("a key"), 0)
    };
    let sized = filter(|builder| builder.min_size(10).max_size(20));
    let admitted = [Some(9), Some(10), Some(20), Some(21), None].map(|size| sized.admits(&entry(size, None)));
    assert_eq!(admitted, [false, true, true, false, false]);
    assert!(filter(|builder| builder.max_size(20)).admits(&entry(None, None)));

    let at = |seconds| Timestamp::from_parts(seconds, 0);
    let timed = filter(|builder| builder.modified_after(at(10)).modified_before(at(20)));
    let admitted = [Some(9), Some(10), Some(20), Some(21), None].map(|time| timed.admits(&entry(None, time)));
    assert_eq!(admitted, [false, true, true, false, false]);
    assert!(filter(|builder| builder.modified_after(at(10))).admits(&entry(None, None)), "unknown is just now");
    let stored = Entry { stored: Some(at(15)), ..entry(None, None) };
    assert!(timed.admits(&stored), "the time of storing stands in");
    assert_eq!(reason(|builder| builder.modified_after(at(20)).modified_before(at(10))), Reason::AgesCross);

    let shallow = filter(|builder| builder.max_depth(2));
    expect(&shallow, &["a", "a/b"], &["a/b/c"]);
    assert!(shallow.enters("a/") && !shallow.enters("a/b/"));
    assert!(!shallow.is_everything() && Filter::default().is_everything());
}

#[test]
fn prefixes() {
    let table: &[(&[&str], &str)] = &[
        (&["/packages/x86/**", "/packages/x64/**"], "packages/x"),
        (&["/packages/*.hpkg"], "packages/"),
        (&["/päckchen/**", "/pärchen"], "pä"),
        (&["/a\\*b/**"], "a*b/"),
        (&["/a/**", "b"], ""),
        (&["/abc{{a)|(b}}"], ""),
        (&["/abc{{x?}}"], "abc"),
    ];
    for (patterns, prefix) in table {
        let filter = filter(|builder| patterns.iter().fold(builder, |builder, pattern| builder.include(pattern)));
        assert_eq!(filter.prefix(), *prefix, "{patterns:?}");
    }
    assert_eq!(rules("+ /a/**").prefix(), "", "what no rule matches is in");
    assert_eq!(rules("+ /a/**\n- *").prefix(), "a/");
    assert_eq!(filter(|builder| builder.include("/a/**").ignore_case(true)).prefix(), "");
}

#[test]
fn faults_name_their_line() {
    let table: &[(&str, Reason)] = &[
        ("***", Reason::TooManyStars),
        ("a]", Reason::Brackets),
        ("[a", Reason::Brackets),
        ("{a", Reason::Braces),
        ("a}", Reason::Braces),
        ("{{a", Reason::Braces),
        ("a\\", Reason::LoneBackslash),
        ("{{\\Ba}}", Reason::Unsupported { construct: "\\B".to_owned() }),
    ];
    for (pattern, expected) in table {
        assert_eq!(reason(|builder| builder.exclude(pattern)), *expected, "{pattern}");
    }
    assert!(matches!(reason(|builder| builder.exclude("{{(}}")), Reason::Expression(_)));
    let error = FilterBuilder::new().filter_from("rules.txt", "# fine\n+ a\n\nb\n").build().expect_err("no sign");
    assert_eq!(error.origin, Some(("rules.txt".to_owned(), 4)));
    assert_eq!(error.reason, Reason::MalformedRule);
    assert_eq!(error.to_string(), "rules.txt:4: \"b\": a rule begins with \"+ \" or \"- \", or is \"!\"");
}

/// As rclone reads them: a pattern that ends in a space on the command line is the same without it.
#[test]
fn spaces_around_a_pattern_count_for_nothing() {
    expect(&include(" *.jpg "), &["a.jpg"], &["a.jpg ", "a"]);
    expect(&include("a[ ]"), &["a "], &["a"]);
    expect(&filter(|builder| builder.rule("- ** ")), &[], &["a", "a "]);
    assert_eq!(reason(|builder| builder.rule("-  ")), Reason::MalformedRule);
}
