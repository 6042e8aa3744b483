/** The command line: the table of commands handed to the parser, so that no command's code is loaded before it is run. */
import { Command, Option } from "../vendor/cli.js";
import { COMMANDS, type CommandRow, type OptionRow } from "./command-table.ts";
import type { CommandOptions, Run } from "./io.ts";
import { VERSION } from "./version.ts";

/** On every command, so that they may stand before it or behind it. */
const EVERYWHERE: readonly OptionRow[] = [
  { flags: "--dir <path>", meaning: "the data directory: else ODRADEK_DIR, else ./data" },
  { flags: "--json", meaning: 'one object a line, in the face\'s field names, bytes as {"base64": …}' },
];

const GROUPS: Readonly<Record<string, string>> = {
  topics: "list, create, describe, alter, adopt, delete",
  quotas: "list, set",
  groups: "consumer groups: list, describe, reset, delete",
};

export interface Chosen {
  readonly run: Run;
  readonly args: readonly string[];
  readonly options: CommandOptions;
}

/** Parses the words behind the program's name. Answers the command to run. Throws a `CommanderError`, also for help that was asked for and printed. */
export async function parse(words: readonly string[], write: (text: string) => void, complain: (text: string) => void): Promise<Chosen> {
  let chosen: Chosen | null = null;
  const root = new Command("odradek")
    .description("Kafka's log, in a directory: look into it, write to it, check it, mend it.")
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ writeOut: write, writeErr: complain, outputError: () => {} })
    .helpOption("-h, --help", "this text")
    .helpCommand(false)
    .version(VERSION, "-V, --version", "the version")
    .addHelpText(
      "after",
      examplesText([
        "odradek topics create orders --partitions 4",
        "echo hello | odradek produce orders",
        "odradek consume orders -e",
        "odradek verify",
      ]),
    );
  for (const row of EVERYWHERE) root.addOption(optionOf(row));
  const groups = new Map<string, Command>();
  for (const row of COMMANDS) {
    const [first, second] = row.name.split(" ") as [string, string | undefined];
    let parent = root;
    if (second !== undefined) {
      parent =
        groups.get(first) ??
        root
          .command(first)
          .description(GROUPS[first] as string)
          .helpCommand(false);
      groups.set(first, parent);
    }
    const command = parent.command(second ?? first);
    describe(command, row);
    command.action(async () => {
      chosen = { run: await row.load(), args: command.args, options: command.optsWithGlobals() };
    });
  }
  await root.parseAsync(words, { from: "user" });
  // Words that choose no command were thrown for.
  return chosen as unknown as Chosen;
}

function describe(command: Command, row: CommandRow): void {
  command.description(row.meaning).addHelpText("after", examplesText(row.examples));
  for (const word of row.takes?.split(" ") ?? []) command.argument(word);
  command.allowExcessArguments(false);
  for (const option of [...row.options, ...EVERYWHERE]) command.addOption(optionOf(option));
}

function optionOf(row: OptionRow): Option {
  const option = new Option(row.flags, row.meaning);
  if (row.choices !== undefined) option.choices(row.choices);
  if (row.repeated) option.argParser((value, previous: never) => [...((previous as readonly string[] | undefined) ?? []), value]);
  return option;
}

function examplesText(examples: readonly string[]): string {
  return `\nExamples:\n${examples.map((example) => `  ${example}`).join("\n")}`;
}
