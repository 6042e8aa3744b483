/** The version that `--version` tells: written here, since nothing reads package.json at run time. A test holds the two together. */

export const VERSION = "0.1.0";
