{{/* Checks of what the worker talks to: the brokers, Redis; and of the policies it judges by. */}}

{{/* A field of `settings`, or nothing: {root, section, field}. */}}
{{- define "afterguard.setting" -}}
{{- $fields := index .root.Values.settings .section -}}
{{- if kindIs "map" $fields -}}{{- with get $fields .field -}}{{ . }}{{- end -}}{{- end -}}
{{- end -}}

{{- define "afterguard.check.kafka" -}}
{{- $kafka := .Values.kafka -}}
{{- $protocol := lower $kafka.securityProtocol -}}
{{- if not $kafka.bootstrapServers }}
kafka.bootstrapServers is needed: host:port of your brokers, such as --set kafka.bootstrapServers=kafka-1:9092
{{- end }}
{{- if not (hasSuffix "ssl" $protocol) -}}
{{- range $name := list "existingSecret" "caSecret" -}}
{{- if index $kafka.tls $name }}
kafka.tls.{{ $name }} has no meaning while kafka.securityProtocol is {{ $protocol }}: set that to ssl or sasl_ssl
{{- end }}
{{- end -}}
{{- end }}
{{- if and $kafka.tls.caSecret (not $kafka.tls.caKey) }}
kafka.tls.caSecret is set and kafka.tls.caKey is empty: name the key of the CA, such as ca.crt
{{- end }}
{{- if and (or $kafka.tls.certKey $kafka.tls.keyKey) (not $kafka.tls.existingSecret) }}
kafka.tls.certKey and kafka.tls.keyKey are keys of kafka.tls.existingSecret: name that Secret
{{- end }}
{{- if and $kafka.tls.keyKey (not $kafka.tls.certKey) }}
kafka.tls.keyKey is set without kafka.tls.certKey: a key needs its certificate
{{- end }}
{{- if and $kafka.tls.keyPasswordKey (not $kafka.tls.certKey) }}
kafka.tls.keyPasswordKey is set without kafka.tls.certKey: there is no key to open
{{- end }}
{{- end -}}

{{- define "afterguard.check.sasl" -}}
{{- $sasl := .Values.kafka.sasl -}}
{{- $protocol := lower .Values.kafka.securityProtocol -}}
{{- $withLogIn := hasPrefix "sasl" $protocol -}}
{{- if not $withLogIn -}}
{{- range $name := list "mechanism" "username" "existingSecret" "tokenKey" "tokenProvider" -}}
{{- if index $sasl $name }}
kafka.sasl.{{ $name }} has no meaning while kafka.securityProtocol is {{ $protocol }}: set that to sasl_ssl or sasl_plaintext
{{- end }}
{{- end -}}
{{- else if not $sasl.mechanism }}
kafka.sasl.mechanism is needed while kafka.securityProtocol is {{ $protocol }}: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER
{{- else if eq $sasl.mechanism "OAUTHBEARER" -}}
{{- $ways := list -}}
{{- if and $sasl.existingSecret $sasl.tokenKey -}}{{- $ways = append $ways "kafka.sasl.tokenKey" -}}{{- end -}}
{{- if $sasl.tokenProvider -}}{{- $ways = append $ways "kafka.sasl.tokenProvider" -}}{{- end -}}
{{- if $sasl.serviceAccountToken.audience -}}{{- $ways = append $ways "kafka.sasl.serviceAccountToken.audience" -}}{{- end -}}
{{- range $field := list "sasl_token_file" "sasl_token_provider" -}}
{{- if include "afterguard.setting" (dict "root" $ "section" "kafka" "field" $field) -}}{{- $ways = append $ways (printf "settings.kafka.%s" $field) -}}{{- end -}}
{{- end }}
{{- if not $ways }}
OAUTHBEARER needs a token: kafka.sasl.existingSecret with kafka.sasl.tokenKey, or kafka.sasl.tokenProvider, or kafka.sasl.serviceAccountToken.audience
{{- else if gt (len $ways) 1 }}
{{ join " and " $ways }}: give one of them, the worker takes one token
{{- end }}
{{- if $sasl.username }}
kafka.sasl.username has no meaning with OAUTHBEARER: the token says who we are
{{- end }}
{{- else }}
{{- if and (not $sasl.existingSecret) (not (include "afterguard.setting" (dict "root" . "section" "kafka" "field" "sasl_password_file"))) }}
kafka.sasl.existingSecret is needed for {{ $sasl.mechanism }}: the Secret that holds the password under kafka.sasl.passwordKey
{{- end }}
{{- if and $sasl.username $sasl.usernameKey }}
kafka.sasl.username and kafka.sasl.usernameKey: give one of the two
{{- else if not (or $sasl.username (and $sasl.existingSecret $sasl.usernameKey) (include "afterguard.setting" (dict "root" . "section" "kafka" "field" "sasl_username"))) }}
kafka.sasl.username is needed for {{ $sasl.mechanism }}, or kafka.sasl.usernameKey when the name stands in the Secret
{{- end }}
{{- range $name := list "tokenKey" "tokenProvider" -}}
{{- if index $sasl $name }}
kafka.sasl.{{ $name }} has no meaning with {{ $sasl.mechanism }}: it is for OAUTHBEARER
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "afterguard.check.redis" -}}
{{- $redis := .Values.redis -}}
{{- $url := default $redis.url (include "afterguard.setting" (dict "root" . "section" "redis" "field" "url")) -}}
{{- if $redis.urlKey }}
{{- if not $redis.existingSecret }}
redis.urlKey is a key of redis.existingSecret: name that Secret
{{- end }}
{{- if $redis.url }}
redis.url and redis.urlKey: give one of the two
{{- end }}
{{- else if not $url }}
{{- range $name := list "existingSecret" "username" }}
{{- if index $redis $name }}
redis.{{ $name }} is set and no address: set redis.url, or redis.urlKey when the address stands in the Secret
{{- end }}
{{- end }}
{{- if $redis.tls.existingSecret }}
redis.tls.existingSecret is set and no address: set redis.url, or redis.urlKey when the address stands in the Secret
{{- end }}
{{- else }}
{{- if and $redis.tls.existingSecret (not (hasPrefix "rediss://" $url)) }}
redis.tls.existingSecret has no meaning while redis.url is no rediss:// address
{{- end }}
{{- if and $redis.username (not $redis.existingSecret) (not (include "afterguard.setting" (dict "root" . "section" "redis" "field" "password_file"))) }}
redis.username needs a password: name its Secret in redis.existingSecret
{{- end }}
{{- end }}
{{- if and $redis.tls.keyKey (not $redis.tls.certKey) }}
redis.tls.keyKey is set without redis.tls.certKey: a key needs its certificate
{{- end }}
{{- end -}}

{{- define "afterguard.check.policies" -}}
{{- $policies := .Values.policies -}}
{{- if and $policies.files $policies.existingConfigMap }}
policies.files and policies.existingConfigMap: give one of the two
{{- end }}
{{- range $name, $text := $policies.files }}
{{- if not (regexMatch "^[A-Za-z0-9_-][A-Za-z0-9._-]*\\.md$" $name) }}
policies.files: {{ $name | quote }} is no name of a policy: the worker reads files such as harassment.md
{{- end }}
{{- if and (regexMatch "^(?i)readme\\.md$" $name) }}
policies.files: {{ $name | quote }} is never read as a policy: give it another name
{{- end }}
{{- end }}
{{- end -}}
