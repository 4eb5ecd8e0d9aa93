# Completion of mcpgwctl(8) for bash; make install puts it where
# bash-completion looks, and sourcing it does as well.

_mcpgwctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local common="--file --socket --json --help" group= verb= i words=
	local filters="--action --auth-result --client --tool --upstream
	    --method --status --session --subject --request-id --trace-id
	    --since --until"

	# the command: the first two words that are neither options nor
	# their arguments
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-f|-s|-n|-k|-l|-e|-i|--file|--socket|--keys|--label|--expires|\
		--client|--tool|--upstream|--method|--request-id|--arguments)
			((i++)) ;;
		-*) ;;
		*)
			if [ -z "$group" ]; then
				group=${COMP_WORDS[i]}
			elif [ -z "$verb" ]; then
				verb=${COMP_WORDS[i]}
			fi ;;
		esac
	done

	case $prev in
	-f|--file|-s|--socket|-k|--keys)
		COMPREPLY=($(compgen -f -- "$cur"))
		return ;;
	--action)
		words="allow deny error aborted" ;;
	--auth-result)
		words="ok missing invalid expired not_yet_valid bad_signature
		    unknown_key bad_issuer bad_audience unbound
		    insufficient_scope unavailable" ;;
	--client|--tool|--upstream|--method|--status|--session|--subject|\
	--request-id|--trace-id|--since|--until|--interval|--label|--expires|--scopes|--arguments|\
	-n|-i)
		return ;;
	esac
	if [ -n "$words" ]; then
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
		return
	fi

	case $group:$verb in
	:|help:)
		words="audit drain explain help jwks key log reload sessions status
		    token top upstreams workers"
		[ -z "$group" ] && words="$words $common --version" ;;
	key:)
		words="generate list revoke verify" ;;
	token:)
		words="explain" ;;
	audit:)
		words="tail follow stats" ;;
	key:generate)
		words="--label --expires --scopes --json --help" ;;
	key:revoke)
		words="--dry-run --force $common" ;;
	key:list|key:verify)
		words=$common ;;
	explain:)
		words="--request-id --tool --method --arguments --upstream
		    --client --scopes $common" ;;
	token:explain)
		words="--keys $common" ;;
	audit:tail|audit:stats)
		words="-n --all $filters $common" ;;
	audit:follow)
		words="-n $filters $common" ;;
	status:|workers:|upstreams:|jwks:|sessions:|reload:)
		words=$common ;;
	top:)
		words="--once --interval $common" ;;
	drain:)
		words="--off $common" ;;
	log:)
		words="debug info warning error $common" ;;
	help:key)
		words="generate list revoke verify" ;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
	# the logs to read
	if [ "$group" = audit ] && [ -n "$verb" ] && [ "${cur#-}" = "$cur" ]
	then
		COMPREPLY=($(compgen -f -- "$cur"))
	fi
}
complete -o filenames -F _mcpgwctl mcpgwctl
