import { fileOptions, type Spot } from './words.ts';

/** For bash: `source <(vrouterctl completion bash)`. */
export function bashScript(spots: readonly Spot[], valueOptions: readonly string[]): string {
  const values = valueOptions.filter((option) => !fileOptions.some((file) => file === option));
  const paths = spots.filter((spot) => spot.path !== '').map((spot) => `'${spot.path}'`);
  const cases = spots.map((spot) => {
    const words = (of: Spot['commands']): string => of.map((word) => word.text).join(' ');
    return `    '${spot.path}') commands='${words(spot.commands)}'; options='${words(spot.options)}' ;;`;
  });
  return `# vrouterctl: completion for bash. Use: source <(vrouterctl completion bash)
_vrouterctl() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local path='' next commands='' options='' i
  COMPREPLY=()
  case "$previous" in
    ${fileOptions.join('|')}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    ${values.join('|')}) return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${path:+$path }\${COMP_WORDS[i]}"
    case "$next" in
      ${paths.join('|')}) path="$next" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  if [[ $current == -* ]]; then mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  else mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
  fi
}
complete -F _vrouterctl vrouterctl
`;
}
