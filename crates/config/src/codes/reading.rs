//! Files, keys and values: what cannot be read as a configuration at all.

/// Hands its table on to the next room, behind what came before.
macro_rules! reading {
    ([$next:ident $($then:ident)*] $($before:tt)*) => {
        $next! {
            [$($then)*] $($before)*
            TomlSyntax "toml-syntax" Error {
                title: "The file is not valid TOML",
                why: "Baton cannot tell what this line says, so it cannot tell which value should survive.",
                fix: "Check quotes, brackets, commas and `=` on this line.",
                wrong: "[person.fields.nickname]\ntype = text\n",
                right: "[person.fields.nickname]\ntype = \"text\"\n",
            }
            DuplicateKey "duplicate-key" Error {
                title: "A setting stands twice in one table",
                why: "Only one of the two can hold, and nobody can see which.",
                fix: "Remove one of the two.",
                wrong: "[person.fields.nickname]\nrule = \"latest\"\nrule = \"fill\"\n",
                right: "[person.fields.nickname]\nrule = \"latest\"\n",
            }
            DefinedTwice "defined-twice" Error {
                title: "Two files set the same thing",
                why: "Files are read as one; which of the two would hold would depend on their names.",
                fix: "Keep the setting in one file.",
                wrong: "[identity]\nemail = \"email\"\n",
                right: "[identity.keys]\naccount = [\"name\"]\n",
            }
            NotUtf8 "not-utf8" Error {
                title: "The file is not UTF-8 text",
                why: "Names with accents would be read wrongly; the file may not be a configuration at all.",
                fix: "Save the file as UTF-8.",
                wrong: "",
                right: "",
            }
            FileEmpty "file-empty" Error {
                title: "The file says nothing",
                why: "An empty file is mostly one that was not saved or not copied: its rules would silently be missing.",
                fix: "Fill the file or delete it.",
                wrong: "# nothing but a comment\n",
                right: "[person.fields.nickname]\n",
            }
            FileUnreadable "file-unreadable" Error {
                title: "The file cannot be read",
                why: "Its rules would silently be missing.",
                fix: "Check that it is a file and that Baton may read it.",
                wrong: "",
                right: "",
            }
            UnknownKey "unknown-key" Error {
                title: "There is no such setting here",
                why: "A misspelt setting would be ignored, and the default would hold instead.",
                fix: "Use a setting that exists; `baton schema` lists them.",
                wrong: "[person.fields.nickname]\nprotect_manual = \"180d\"\n",
                right: "[person.fields.nickname]\nprotect_manual_for = \"180d\"\n",
            }
            MissingKey "missing-key" Error {
                title: "Something that must be said is not said",
                why: "Baton does not guess.",
                fix: "Add it.",
                wrong: "[systems.events]\nzone = \"UTC\"\n",
                right: "[systems.events]\nformat = \"baton\"\nzone = \"UTC\"\n",
            }
            WrongType "wrong-type" Error {
                title: "The wrong kind of value",
                why: "Baton cannot tell what is meant.",
                fix: "Write the kind of value that belongs here.",
                wrong: "[person.fields.nickname]\npersonal = \"yes\"\n",
                right: "[person.fields.nickname]\npersonal = true\n",
            }
            EmptyValue "empty-value" Error {
                title: "A text or list is empty",
                why: "Nothing can be meant by it; a list that must name something names nothing.",
                fix: "Fill it, or leave the setting out.",
                wrong: "[person.fields.nickname]\nrule = { priority = [] }\n",
                right: "[person.fields.nickname]\nrule = \"latest\"\n",
            }
            DuplicateEntry "duplicate-entry" Error {
                title: "A list names something twice",
                why: "The second one can have no effect, so something else was probably meant.",
                fix: "Remove or replace one of them.",
                wrong: "[person.groups.place]\nfields = [\"city\", \"city\", \"country\"]\n",
                right: "[person.groups.place]\nfields = [\"city\", \"country\"]\n",
            }
            BadName "bad-name" Error {
                title: "Not a name of Baton's",
                why: "Names stand in topics, metrics and commands and must be the same everywhere.",
                fix: "Use lower-case letters, digits and underscores, beginning with a letter.",
                wrong: "[person.fields.\"Nick Name\"]\n",
                right: "[person.fields.nick_name]\n",
            }
        }
    };
}
