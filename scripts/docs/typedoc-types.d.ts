/** As much of typedoc as scripts/docs uses: its own declarations lead to others that hold with the DOM's alone. */
export interface Reflection {
  readonly name: string;
  readonly kind: number;
  kindOf(kind: number): boolean;
  hasComment(): boolean;
  traverse(visit: (child: Reflection) => boolean | undefined): void;
}

export interface ProjectReflection extends Reflection {
  getReflectionsByKind(kind: number): Reflection[];
}

export declare class Application {
  static bootstrap(options: object): Promise<Application>;
  readonly logger: { log: (message: string, level: number) => void };
  convert(): Promise<ProjectReflection | undefined>;
  validate(project: ProjectReflection): void;
  generateDocs(project: ProjectReflection, directory: string): Promise<void>;
}

export declare const LogLevel: Readonly<Record<"Warn", number>>;
export declare const ReflectionKind: Readonly<Record<"SomeExport" | "SomeType" | "TypeLiteral" | "Property", number>>;
