{{/*
Secrets: which key of which Secret becomes which file, and which setting names the file.

One list for all three rooms (kafka, redis, engine): {from, room, section, field, secret, key, file},
or {audience, expirationSeconds} instead of a Secret for the pod's own token. Volumes, mounts,
settings and checks are made from it.
*/}}
{{- define "afterguard.secretFiles" -}}
{{- $found := list -}}
{{- $tls := .Values.kafka.tls -}}
{{- $ca := default $tls.existingSecret $tls.caSecret -}}
{{- if and $ca $tls.caKey -}}
{{- $found = append $found (dict "from" "kafka.tls.caKey" "room" "kafka" "field" "ssl_ca_file" "secret" $ca "key" $tls.caKey "file" "ca.crt") -}}
{{- end -}}
{{- if $tls.existingSecret -}}
{{- range $name, $to := dict "certKey" "ssl_cert_file tls.crt" "keyKey" "ssl_key_file tls.key" "keyPasswordKey" "ssl_key_password_file tls.password" -}}
{{- with index $tls $name -}}
{{- $found = append $found (dict "from" (printf "kafka.tls.%s" $name) "room" "kafka" "field" (splitList " " $to | first) "secret" $tls.existingSecret "key" . "file" (splitList " " $to | last)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $sasl := .Values.kafka.sasl -}}
{{- if and $sasl.serviceAccountToken.audience (eq $sasl.mechanism "OAUTHBEARER") -}}
{{- $found = append $found (dict "from" "kafka.sasl.serviceAccountToken" "room" "kafka" "field" "sasl_token_file" "audience" $sasl.serviceAccountToken.audience "expirationSeconds" $sasl.serviceAccountToken.expirationSeconds "file" "token") -}}
{{- else if and $sasl.existingSecret (eq $sasl.mechanism "OAUTHBEARER") -}}
{{- with $sasl.tokenKey -}}
{{- $found = append $found (dict "from" "kafka.sasl.tokenKey" "room" "kafka" "field" "sasl_token_file" "secret" $sasl.existingSecret "key" . "file" "token") -}}
{{- end -}}
{{- else if and $sasl.existingSecret $sasl.mechanism $sasl.passwordKey -}}
{{- $found = append $found (dict "from" "kafka.sasl.passwordKey" "room" "kafka" "field" "sasl_password_file" "secret" $sasl.existingSecret "key" $sasl.passwordKey "file" "password") -}}
{{- end -}}
{{- $redis := .Values.redis -}}
{{- if and $redis.existingSecret $redis.passwordKey (not $redis.urlKey) -}}
{{- $found = append $found (dict "from" "redis.passwordKey" "room" "redis" "field" "password_file" "secret" $redis.existingSecret "key" $redis.passwordKey "file" "password") -}}
{{- end -}}
{{- if $redis.tls.existingSecret -}}
{{- range $name, $to := dict "caKey" "ssl_ca_file ca.crt" "certKey" "ssl_cert_file tls.crt" "keyKey" "ssl_key_file tls.key" -}}
{{- with index $redis.tls $name -}}
{{- $found = append $found (dict "from" (printf "redis.tls.%s" $name) "room" "redis" "field" (splitList " " $to | first) "secret" $redis.tls.existingSecret "key" . "file" (splitList " " $to | last)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.engine -}}
{{- if and .existingSecret .apiKeyKey -}}
{{- $found = append $found (dict "from" "engine.apiKeyKey" "room" "engine" "field" "api_key_file" "secret" .existingSecret "key" .apiKeyKey "file" "api-key") -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* One projected volume for each room that has secrets. 288 is 0440: readable by our group, 0. */}}
{{- define "afterguard.secretVolumes" -}}
{{- $rooms := dict -}}
{{- range include "afterguard.secretFiles" . | fromYamlArray -}}
{{- $_ := set $rooms .room (append (default list (get $rooms .room)) .) -}}
{{- end -}}
{{- range $room, $files := $rooms }}
- name: {{ $room }}-credentials
  projected:
    defaultMode: 288
    sources:
      {{- range $files }}
      {{- if .secret }}
      - secret:
          name: {{ .secret | quote }}
          items:
            - key: {{ .key | quote }}
              path: {{ .file }}
      {{- else }}
      - serviceAccountToken:
          audience: {{ .audience | quote }}
          expirationSeconds: {{ int .expirationSeconds }}
          path: {{ .file }}
      {{- end }}
      {{- end }}
{{- end }}
{{- end -}}

{{- define "afterguard.secretMounts" -}}
{{- $rooms := dict -}}
{{- range include "afterguard.secretFiles" . | fromYamlArray -}}
{{- $_ := set $rooms .room true -}}
{{- end -}}
{{- range $room, $_ := $rooms }}
- name: {{ $room }}-credentials
  mountPath: /etc/afterguard/{{ $room }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* What has no setting that ends in _file comes by a variable, from the Secret itself. */}}
{{- define "afterguard.secretEnv" -}}
{{- $v := .Values -}}
{{- if and $v.kafka.sasl.existingSecret $v.kafka.sasl.usernameKey $v.kafka.sasl.mechanism (not $v.kafka.sasl.username) }}
- name: AFTERGUARD_KAFKA__SASL_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ $v.kafka.sasl.existingSecret | quote }}
      key: {{ $v.kafka.sasl.usernameKey | quote }}
{{- end }}
{{- if and $v.redis.existingSecret $v.redis.urlKey }}
- name: AFTERGUARD_REDIS__URL
  valueFrom:
    secretKeyRef:
      name: {{ $v.redis.existingSecret | quote }}
      key: {{ $v.redis.urlKey | quote }}
{{- end }}
{{- end -}}
