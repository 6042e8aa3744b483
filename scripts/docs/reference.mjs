/** The API reference, as TypeDoc makes it from the four entries: read, and asked what in it has no words. */
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { Application, LogLevel, ReflectionKind } from "typedoc";

/** What a program names must be described; of settings, each field as well: that is what an editor shows. */
const named = ["Enum", "Variable", "Function", "Class", "Interface", "TypeAlias", "Method", "Accessor"];
const settings = ["ConsumerOptions", "ProducerOptions", "OpenOptions", "TopicConfig", "OpfsOptions", "TabOptions"];

/**
 * Resolves to the reference and everything it complains of, a sentence each.
 * @param {string} root
 * @returns {Promise<{ application: Application, project: import("typedoc").ProjectReflection | undefined, problems: string[], symbolCount: number }>}
 */
export async function readReference(root) {
  const application = await Application.bootstrap({
    name: "Odradek",
    entryPoints: ["index.ts", "opfs.ts", "durable-object.ts", "testing/index.ts"].map((name) => join(root, "src", name)),
    tsconfig: join(root, "tsconfig.build.json"),
    readme: "none",
    // Links to lines of a repository would be those of one commit; names lead there as well.
    disableSources: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    // The types are looked at by a check of their own.
    skipErrorChecking: true,
    requiredToBeDocumented: named,
    validation: { notDocumented: true, invalidLink: true, notExported: false },
    logLevel: LogLevel.Warn,
  });
  const problems = [];
  application.logger.log = (message, level) => {
    if (level >= LogLevel.Warn) problems.push(stripVTControlCharacters(message));
  };
  const project = await application.convert();
  if (project === undefined) return { application, project, problems, symbolCount: 0 };
  application.validate(project);
  problems.push(...settingsWithoutWords(project));
  return { application, project, problems, symbolCount: project.getReflectionsByKind(ReflectionKind.SomeExport).length };
}

function settingsWithoutWords(project) {
  const problems = [];
  for (const type of project.getReflectionsByKind(ReflectionKind.SomeType)) {
    if (!settings.includes(type.name)) continue;
    type.traverse((field) => {
      if (field.kind === ReflectionKind.TypeLiteral) return field.traverse(told);
      return told(field);
    });
    function told(field) {
      if (field.kindOf(ReflectionKind.Property) && !field.hasComment())
        problems.push(`${type.name}.${field.name}: a setting without a sentence`);
      return true;
    }
  }
  return problems;
}
