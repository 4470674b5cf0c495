/** What a person dropped, pasted or picked: loose pictures, folders of pictures, a saved file. */

export interface Dropped {
  /** An `.imprint` file, where there was one. */
  readonly saved: File | undefined;
  /** Pictures that lay in no folder. */
  readonly loose: readonly File[];
  /** Pictures by the name of the folder they lay in. */
  readonly folders: ReadonlyMap<string, readonly File[]>;
}

const PICTURE = /\.(jpe?g|png|webp|gif|avif|bmp|heic|heif|tiff?)$/i;
const SAVED = /\.(imprint|safetensors)$/i;

/** By type, or by name where the system gives no type. Hidden files are no one's pictures. */
function isPicture({ name, type }: File): boolean {
  return !name.startsWith('.') && (type.startsWith('image/') || (type === '' && PICTURE.test(name)));
}

/** The folder right above a file: `fruit/apple/1.jpg` is an apple. Folders come by name, whatever order the system has. */
function sort(files: readonly { readonly file: File; readonly folder: string | undefined }[]): Dropped {
  const folders = new Map<string, File[]>();
  const loose: File[] = [];
  for (const { file, folder: name } of files) {
    if (!isPicture(file)) continue;
    // A name that is typed has this form too.
    const folder = name?.normalize('NFC');
    if (folder === undefined) loose.push(file);
    else if (folders.has(folder)) folders.get(folder)!.push(file);
    else folders.set(folder, [file]);
  }
  return {
    saved: files.find(({ file }) => SAVED.test(file.name))?.file,
    loose,
    folders: new Map([...folders].sort(([a], [b]) => a.localeCompare(b))),
  };
}

/** Files of an `<input type="file">`, also of one that picks a folder. */
export function pickedFiles(list: Iterable<File>): Dropped {
  return sort(Array.from(list, (file) => ({ file, folder: file.webkitRelativePath.split('/').at(-2) })));
}

/** Files of a drop or a paste; folders are read to their ends. */
export async function droppedFiles(transfer: DataTransfer): Promise<Dropped> {
  // Both must be taken before the first await: afterwards the transfer is empty.
  const entries = Array.from(transfer.items, (item) => (item.kind === 'file' ? item.webkitGetAsEntry() : null));
  const plain = [...transfer.files];
  if (!entries.some((entry) => entry?.isDirectory)) return pickedFiles(plain);
  const found: { file: File; folder: string | undefined }[] = [];
  for (const entry of entries) if (entry !== null) await walk(entry, undefined, found);
  return sort(found);
}

async function walk(
  entry: FileSystemEntry,
  folder: string | undefined,
  found: { file: File; folder: string | undefined }[],
): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ file, folder });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives at most 100 entries a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const child of some) await walk(child, entry.name, found);
  }
}

/** Whether what is dragged over the page has files in it. */
export function hasFiles(transfer: DataTransfer | null): boolean {
  return transfer !== null && [...transfer.types].includes('Files');
}
