//! The log, the store, secrets, mappings and what surrounds them.

/// Hands its table on to the next room, behind what came before.
macro_rules! running {
    ([$next:ident $($then:ident)*] $($before:tt)*) => {
        $next! {
            [$($then)*] $($before)*
            TopicShared "topic-shared" Error {
                title: "Two streams in one topic",
                why: "Baton would read one system's changes as another's, or its own commands as changes.",
                fix: "Give each its own topic.",
                wrong: "[systems.events]\nformat = \"baton\"\ntopics = { changes = \"baton.crm.changes\" }\n",
                right: "[systems.events]\nformat = \"baton\"\ntopics = { changes = \"events.changes\" }\n",
            }
            BadTopic "bad-topic" Error {
                title: "Not a topic name",
                why: "Kafka would refuse it.",
                fix: "Use letters, digits, `.`, `_` and `-`, at most 249.",
                wrong: "[topics]\ngolden = \"baton golden\"\n",
                right: "[topics]\ngolden = \"baton.golden\"\n",
            }
            SecretInline "secret-inline" Error {
                title: "A secret stands in the file",
                why: "Configuration is copied, mailed and kept in version control; a password in it is known to everyone.",
                fix: "Write { env = \"VARIABLE\" } or { file = \"/run/secrets/…\" } instead.",
                wrong: "[kafka]\nbootstrap = \"kafka:9092\"\nclient = { \"sasl.password\" = \"hunter2\" }\n",
                right: "[kafka]\nbootstrap = \"kafka:9092\"\nclient = { \"sasl.password\" = { env = \"KAFKA_PASSWORD\" } }\n",
            }
            SecretSource "secret-source" Error {
                title: "Not exactly one place for a secret",
                why: "Baton could not tell which to use.",
                fix: "Give `env` or `file`, one of both.",
                wrong: "[store]\nurl = { env = \"KAFKA_PASSWORD\", file = \"/run/secrets/url\" }\n",
                right: "[store]\nurl = { env = \"KAFKA_PASSWORD\" }\n",
            }
            EnvironmentMissing "environment-missing" Error {
                title: "An environment variable is not set",
                why: "Baton would start without the secret and be refused later.",
                fix: "Set the variable where Baton runs.",
                wrong: "[store]\nurl = { env = \"NO_SUCH_VARIABLE\" }\n",
                right: "[store]\nurl = { env = \"KAFKA_PASSWORD\" }\n",
            }
            SecretFileMissing "secret-file-missing" Error {
                title: "The file of a secret cannot be read",
                why: "Baton would start without the secret and be refused later.",
                fix: "Put the file there, readable for Baton.",
                wrong: "[store]\nurl = { file = \"/no/such/file\" }\n",
                right: "[store]\nurl = { env = \"KAFKA_PASSWORD\" }\n",
            }
            RequiredNeverSupplied "required-never-supplied" Error {
                title: "A required field that nobody supplies",
                why: "Records could never be created there: no value is ever invented.",
                fix: "Map the field in another system, derive it, or drop `required`.",
                wrong: "[systems.crm.objects.contact]\ncreate = \"always\"\n\n[systems.crm.objects.contact.fields]\nCode = { field = \"code\", required = true }\n\n[person.fields.code]\n",
                right: "[systems.crm.objects.contact]\ncreate = \"always\"\n\n[systems.crm.objects.contact.fields]\nCode = { field = \"code\", required = true }\n\n[person.fields.code]\nrule = { derived = \"upper(last_name)\" }\n",
            }
            MappedTwice "mapped-twice" Error {
                title: "Two vendor fields are written from one Baton field",
                why: "A change of one of them would be undone by the other.",
                fix: "Set direction = \"in\" on one, or make it an alias of the other.",
                wrong: "[systems.crm.objects.contact.fields]\nGivenName = \"first_name\"\n",
                right: "[systems.crm.objects.contact.fields]\nGivenName = { field = \"first_name\", direction = \"in\" }\n",
            }
            ObjectIncomplete "object-incomplete" Error {
                title: "An object that no vocabulary knows and that is not described",
                why: "Baton would not know what the vendor calls it.",
                fix: "Add `vendor` and `fields`.",
                wrong: "[systems.crm.objects.deal]\ncreate = \"always\"\n",
                right: "[systems.crm.objects.deal]\nvendor = \"Opportunity\"\nfields = { Name = \"name\" }\ncreate = \"always\"\n",
            }
            SeparatorNonList "separator-misplaced" Error {
                title: "A separator for something that is no list",
                why: "Only multi-select fields hold several values; the separator must be one character.",
                fix: "Remove `separator`, or write exactly one character on a multi_select field.",
                wrong: "[systems.crm.objects.contact.fields]\nNick = { field = \"nickname\", separator = \";\" }\n\n[person.fields.nickname]\n",
                right: "[systems.crm.objects.contact.fields]\nNick = { field = \"nickname\", separator = \";\" }\n\n[person.fields.nickname]\ntype = \"multi_select\"\n",
            }
            FormNonType "form-misplaced" Error {
                title: "A form that does not fit the field's type",
                why: "`negate` turns truth values round; `epoch_millis` is for dates and times.",
                fix: "Remove it, or change the field's type.",
                wrong: "[systems.crm.objects.contact.fields]\nNick = { field = \"nickname\", negate = true }\n\n[person.fields.nickname]\n",
                right: "[systems.crm.objects.contact.fields]\nNick = { field = \"nickname\", negate = true }\n\n[person.fields.nickname]\ntype = \"boolean\"\n",
            }
            FilterTest "filter-test" Error {
                title: "A condition without exactly one test that fits the field",
                why: "Baton could not tell which records to write.",
                fix: "Use one of present = true, equals, not_equals, at_least; at_least only for numbers.",
                wrong: "[[systems.crm.objects.contact.filter]]\nfield = \"city\"\n",
                right: "[[systems.crm.objects.contact.filter]]\nfield = \"city\"\npresent = true\n",
            }
            FilterValue "filter-value" Error {
                title: "A condition that no record can meet",
                why: "Nothing, or everything, would be written to this system.",
                fix: "Compare with a value that the field can have.",
                wrong: "[[systems.crm.objects.contact.filter]]\nfield = \"status\"\nequals = \"opne\"\n",
                right: "[[systems.crm.objects.contact.filter]]\nfield = \"status\"\nequals = \"open\"\n",
            }
            ExpressionSyntax "expression-syntax" Error {
                title: "Not an expression",
                why: "The field could not be computed.",
                fix: "Write a field, a text in quotes, or a function with its arguments in ( ).",
                wrong: "[person.fields.full_name]\nrule = { derived = 'concat(first_name, \" \" last_name)' }\n",
                right: "[person.fields.full_name]\nrule = { derived = 'concat(first_name, \" \", last_name)' }\n",
            }
            ExpressionFunction "expression-function" Error {
                title: "There is no such function",
                why: "The field could not be computed.",
                fix: "Use one of: concat, join, coalesce, lower, upper, sum, domain.",
                wrong: "[person.fields.full_name]\nrule = { derived = 'conact(first_name, \" \", last_name)' }\n",
                right: "[person.fields.full_name]\nrule = { derived = 'concat(first_name, \" \", last_name)' }\n",
            }
            ExpressionArguments "expression-arguments" Error {
                title: "Arguments that the function cannot take",
                why: "The field could not be computed.",
                fix: "lower, upper and domain take one argument, the others one or more; sum takes numbers, domain an e-mail field.",
                wrong: "[person.fields.mail_domain]\nrule = { derived = \"domain(email, phone)\" }\n",
                right: "[person.fields.mail_domain]\nrule = { derived = \"domain(email)\" }\n",
            }
            RankIncomplete "rank-incomplete" Error {
                title: "The ranking of causes leaves some out",
                why: "A cause without a rank cannot be compared with the others.",
                fix: "List all seven causes, strongest first.",
                wrong: "[ranks]\ncauses = [\"own_form\", \"manual_edit\", \"sales_tool\", \"enrichment\", \"list_import\", \"api\"]\n",
                right: "[ranks]\ncauses = [\"own_form\", \"manual_edit\", \"sales_tool\", \"enrichment\", \"list_import\", \"api\", \"unknown\"]\n",
            }
            BadAddress "bad-address" Error {
                title: "Not an address",
                why: "Baton could not listen or connect there.",
                fix: "Write an address and a port, such as `127.0.0.1:9464`, or `host:port` for Kafka.",
                wrong: "[admin]\nbind = \"localhost\"\n",
                right: "[admin]\nbind = \"127.0.0.1:9464\"\n",
            }
            BadUrl "bad-store-url" Error {
                title: "Not a store",
                why: "Baton would have nowhere to keep its state.",
                fix: "Write `sqlite:path` or `postgres://…`.",
                wrong: "[store]\nurl = \"mysql://localhost/baton\"\n",
                right: "[store]\nurl = \"postgres://localhost/baton\"\n",
            }
            AdminExposed "admin-exposed" Error {
                title: "The admin port is open to the network without a token",
                why: "Anyone who reaches it could read figures and names.",
                fix: "Bind to 127.0.0.1, or set `token`.",
                wrong: "[admin]\nbind = \"0.0.0.0:9464\"\n",
                right: "[admin]\nbind = \"0.0.0.0:9464\"\ntoken = { env = \"KAFKA_PASSWORD\" }\n",
            }
            ClientOwned "kafka-setting-owned" Error {
                title: "A Kafka setting that Baton must own",
                why: "Exactly-once effects rest on it; another value would lose or repeat changes.",
                fix: "Remove it; `group` and `bootstrap` have settings of their own.",
                wrong: "[kafka.client]\n\"enable.auto.commit\" = \"true\"\n",
                right: "[kafka.client]\n\"linger.ms\" = \"5\"\n",
            }
            TimingOrder "timing-order" Error {
                title: "Windows that contradict each other",
                why: "A command would be given up before its answer can count.",
                fix: "Make `give_up` longer than `rendering_settle`, and `horizon` longer than `give_up`.",
                wrong: "[timing]\ngive_up = \"30s\"\nrendering_settle = \"60s\"\n",
                right: "[timing]\ngive_up = \"15m\"\nrendering_settle = \"60s\"\n",
            }
        }
    };
}
